//! From a launch's `provider` and `spec` to the repository it names.
//!
//! The rules are those by which `BinderHub` itself reads a spec before it builds, one function per provider; the table
//! of specs and results under `tests/fixtures/archive/spec-parsing.json` was made by running its classes. They differ
//! from the usual shortcut (cut at the last `/`), which is wrong for every ref that holds a slash.
//!
//! Source: `jupyterhub/binderhub`, `binderhub/repoproviders.py`.

/// What a spec names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repo {
    /// The URL that `BinderHub` hands to its builder; of the DOI providers the DOI itself.
    pub repo: String,
    /// What was asked for (branch, tag, commit), not yet resolved; `Some("")` for providers whose specs name none.
    /// `None` is left for providers that do not tell: of those known, every one does.
    pub reference: Option<String>,
}

/// Reads `spec` by the rules of `provider` (a value of the launch schema's property of that name).
///
/// `None` when the provider is not known or its rules refuse the spec; such launches are to be counted as unparsed,
/// not dropped.
pub fn parse(provider: &str, spec: &str) -> Option<Repo> {
    match provider {
        "GitHub" => github(spec),
        "Gist" => gist(spec),
        "GitLab" => gitlab(spec),
        "Git" => git(spec),
        "Zenodo" | "Figshare" | "Dataverse" => whole(spec.to_owned()),
        "Hydroshare" => hydroshare(spec),
        "CKAN" => whole(unquote(spec)),
        _ => None,
    }
}

/// The name under which launches of one repository are counted, from [`Repo::repo`].
///
/// On github.com, whose names ignore case, that is `https://github.com/owner/name` in lower case and without `.git`,
/// whatever the scheme, user or provider by which it was reached. Every other repository keeps its URL.
pub fn repo_key(repo: &str) -> String {
    match github_path(repo) {
        Some(path) => format!("https://github.com/{}", path.to_ascii_lowercase()),
        None => repo.to_owned(),
    }
}

/// `owner/name/ref`, where the ref may hold slashes.
fn github(spec: &str) -> Option<Repo> {
    let mut parts = spec.splitn(3, '/');
    let (owner, name, reference) = (filled(parts.next())?, filled(parts.next())?, parts.next()?);
    let name = filled(Some(name.strip_suffix(".git").unwrap_or(name)))?;
    Some(Repo { repo: format!("https://github.com/{owner}/{name}"), reference: Some(reference.to_owned()) })
}

/// `user/id[/ref]`; what follows the ref is ignored.
fn gist(spec: &str) -> Option<Repo> {
    let mut parts = spec.split('/');
    let (user, id) = (filled(parts.next())?, filled(parts.next())?);
    let reference = parts.next().unwrap_or_default();
    Some(Repo { repo: format!("https://gist.github.com/{user}/{id}.git"), reference: Some(reference.to_owned()) })
}

/// `namespace/ref`, both percent-encoded; groups nest, so the namespace holds encoded slashes.
fn gitlab(spec: &str) -> Option<Repo> {
    let (namespace, reference) = spec.split_once('/')?;
    let (namespace, reference) = (filled(Some(namespace))?, filled(Some(reference))?);
    Some(Repo { repo: format!("https://gitlab.com/{}.git", unquote(namespace)), reference: Some(unquote(reference)) })
}

/// `url/ref`, both percent-encoded (the colon of the scheme sometimes is not).
fn git(spec: &str) -> Option<Repo> {
    const SCHEMES: [&str; 4] = ["http", "https", "git", "ssh"];
    let (url, reference) = spec.split_once('/')?;
    let reference = filled(Some(reference))?;
    let decoded = unquote(url);
    let repo = match scp_form(&decoded) {
        Some((user_and_host, path)) => format!("ssh://{user_and_host}/{path}"),
        None => decoded,
    };
    let (scheme, _) = repo.split_once(':')?;
    if !SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    Some(Repo { repo, reference: Some(unquote(reference)) })
}

/// Splits `user@host:path`, the form in which `scp` names a place, into `user@host` and `path`.
fn scp_form(url: &str) -> Option<(&str, &str)> {
    let (user_and_host, path) = url.split_once(':')?;
    let (user, host) = user_and_host.split_once('@')?;
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let right = !user.is_empty()
        && !host.is_empty()
        && !path.is_empty()
        && user.chars().all(word)
        && host.chars().all(|c| word(c) || c == '.');
    right.then_some((user_and_host, path))
}

/// An id of 32 hexadecimal digits, alone or within a URL; the last one counts.
fn hydroshare(spec: &str) -> Option<Repo> {
    const DIGITS: usize = 32;
    let hexadecimal = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let window = spec.as_bytes().windows(DIGITS).rev().find(|window| window.iter().all(hexadecimal))?;
    let id = std::str::from_utf8(window).ok()?;
    whole(format!("https://www.hydroshare.org/resource/{id}"))
}

/// A spec that is the repository as a whole and has no ref.
fn whole(repo: String) -> Option<Repo> {
    filled(Some(&repo))?;
    Some(Repo { repo, reference: Some(String::new()) })
}

fn filled(part: Option<&str>) -> Option<&str> {
    part.filter(|text| !text.is_empty())
}

/// Undoes percent-encoding as Python does: what is no valid escape stays as it is, and bytes that are not UTF-8 become
/// U+FFFD.
fn unquote(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        match escaped_byte(rest) {
            Some(byte) => {
                decoded.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The byte that a leading `%XX` stands for.
fn escaped_byte(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// The path of a URL on github.com without `.git` and slashes at its end; `None` for every other URL.
fn github_path(repo: &str) -> Option<&str> {
    let (_, after_scheme) = repo.split_once("://")?;
    let (authority, path) = after_scheme.split_once('/')?;
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host_and_port.split_once(':').map_or(host_and_port, |(host, _)| host);
    if !host.eq_ignore_ascii_case("github.com") && !host.eq_ignore_ascii_case("www.github.com") {
        return None;
    }
    let mut path = path.trim_matches('/');
    // GitHub takes no name that ends in `.git`, so that a second one is as meaningless as the first.
    while let Some(cut) = path.len().checked_sub(".git".len())
        && path.get(cut..).is_some_and(|end| end.eq_ignore_ascii_case(".git"))
    {
        path = path.get(..cut)?.trim_end_matches('/');
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const PROVIDERS: [&str; 10] =
        ["GitHub", "Gist", "GitLab", "Git", "Zenodo", "Figshare", "Dataverse", "Hydroshare", "CKAN", "Meca"];

    /// Every spec that `BinderHub`'s own classes were run on gives their repository and ref, and theirs alone.
    #[test]
    fn specs_are_read_as_binderhub_reads_them() {
        let table = include_str!("../../../tests/fixtures/archive/spec-parsing.json");
        let rows: Vec<Value> = serde_json::from_str(table).unwrap();
        assert_eq!(rows.len(), 29);
        for row in rows {
            let (provider, spec) = (row["provider"].as_str().unwrap(), row["spec"].as_str().unwrap());
            let expected = row.get("error").is_none().then(|| Repo {
                repo: row["repo_url"].as_str().unwrap().to_owned(),
                reference: row["ref"].as_str().map(str::to_owned),
            });
            assert_eq!(parse(provider, spec), expected, "{provider} {spec}");
        }
    }

    #[test]
    fn specs_that_name_nothing_are_refused() {
        for (provider, spec) in [
            ("GitHub", ""),
            ("GitHub", "//main"),
            ("GitHub", "owner/.git/main"),
            ("Gist", "user"),
            ("GitLab", "group%2Fname/"),
            ("Git", "https%3A%2F%2Fx.example%2Fr/"),
            ("Git", "no-url/main"),
            ("Git", "git@:path/main"),
            ("Zenodo", ""),
            ("Hydroshare", "8F7C2F0341EF4180B0DBE97F59130756"),
            ("SWHID", "swh:1:rev:x"),
            ("github", "owner/name/main"),
        ] {
            assert_eq!(parse(provider, spec), None, "{provider} {spec}");
        }
    }

    #[test]
    fn one_repository_has_one_key() {
        for (repo, key) in [
            ("https://github.com/QISKit/qiskit-tutorial", "https://github.com/qiskit/qiskit-tutorial"),
            ("https://github.com/Qiskit/qiskit-tutorial.git", "https://github.com/qiskit/qiskit-tutorial"),
            ("http://www.GitHub.com/Qiskit/qiskit-tutorial/", "https://github.com/qiskit/qiskit-tutorial"),
            ("ssh://git@github.com/Qiskit/qiskit-tutorial.git", "https://github.com/qiskit/qiskit-tutorial"),
            ("https://token:x@github.com:443/a/b.git/", "https://github.com/a/b"),
            ("https://github.com/a/b.git/.GIT.git", "https://github.com/a/b"),
            ("https://gitlab.com/A/b.git", "https://gitlab.com/A/b.git"),
            ("https://gist.github.com/U/id.git", "https://gist.github.com/U/id.git"),
            ("https://notgithub.com/A/B", "https://notgithub.com/A/B"),
            ("10.5281/zenodo.3242074", "10.5281/zenodo.3242074"),
            ("", ""),
        ] {
            assert_eq!(repo_key(repo), key, "{repo}");
            assert_eq!(repo_key(key), key, "a key is its own key");
        }
    }

    #[test]
    fn percent_encoding_is_undone_as_python_does() {
        for (text, decoded) in [
            ("a%2Fb", "a/b"),
            ("a%2fb", "a/b"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%C3%A9", "é"),
            ("%C3é", "\u{fffd}é"),
            ("%F0%9F%AA%90", "🪐"),
            ("%+1", "%+1"),
        ] {
            assert_eq!(unquote(text), decoded, "{text}");
        }
    }

    proptest! {
        /// Whatever an emitter sends is read or refused, never a panic, and a key is its own key.
        #[test]
        fn any_spec_is_read_or_refused(provider in prop::sample::select(&PROVIDERS[..]), spec in "(?s).{0,80}") {
            let key = repo_key(&spec);
            prop_assert_eq!(repo_key(&key), key.clone());
            if let Some(repo) = parse(provider, &spec) {
                prop_assert!(!repo.repo.is_empty());
                repo_key(&repo.repo);
            }
        }

        /// The same with the characters that the rules look at.
        #[test]
        fn specs_made_of_separators_never_panic(provider in prop::sample::select(&PROVIDERS[..]), spec in "[/:@%.a2Fgit]{0,60}") {
            let _ = parse(provider, &spec);
            let _ = repo_key(&format!("https://github.com/{spec}"));
        }

        /// A well-formed GitHub spec gives back its three parts.
        #[test]
        fn github_specs_give_back_their_parts(owner in "[A-Za-z0-9-]{1,20}", name in "[A-Za-z0-9_-]{1,20}", reference in "[a-z/]{0,20}") {
            let repo = parse("GitHub", &format!("{owner}/{name}/{reference}")).unwrap();
            prop_assert_eq!(repo.repo, format!("https://github.com/{owner}/{name}"));
            prop_assert_eq!(repo.reference, Some(reference));
        }
    }
}
