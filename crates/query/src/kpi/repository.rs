//! Which repository a person means, from what a person types.

use insight::spec::repo_key;

/// The key of the repository that `text` names: a URL (also of a page inside a GitHub repository), `host/owner/name`,
/// `git@host:owner/name`, or `owner/name` on GitHub.
///
/// # Errors
/// A sentence on what would be right.
pub(crate) fn repository_key(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    if text.chars().any(char::is_whitespace) || text.is_empty() {
        return Err(format!("'{text}' does not name a repository; give its URL or owner/name"));
    }
    let url = as_url(text).ok_or_else(|| format!("'{text}' does not name a repository; give its URL or owner/name"))?;
    Ok(repo_key(&github_root(&url)))
}

fn as_url(text: &str) -> Option<String> {
    if text.contains("://") {
        return Some(text.to_owned());
    }
    if let Some((host, path)) = text.strip_prefix("git@").and_then(|rest| rest.split_once(':')) {
        return Some(format!("https://{host}/{path}"));
    }
    if text.starts_with("10.") || text.to_ascii_lowercase().starts_with("doi:") {
        // A DOI is the repository's own name with the archives that have them.
        return Some(text.to_owned());
    }
    let steps: Vec<&str> = text.split('/').collect();
    match steps.as_slice() {
        [owner, name] if !owner.is_empty() && !name.is_empty() => Some(format!("https://github.com/{text}")),
        [host, _, _, ..] if host.contains('.') => Some(format!("https://{text}")),
        _ => None,
    }
}

/// Owner and name alone of an address inside a GitHub repository (`…/tree/main/notebooks`). Any other address without
/// `.git` at its end: some providers write it and others do not, so the statement looks for both.
fn github_root(url: &str) -> String {
    let plain = || url.trim_end_matches('/').trim_end_matches(".git").to_owned();
    let Some((_, rest)) = url.split_once("://") else { return plain() };
    let mut steps = rest.split(['?', '#']).next().unwrap_or(rest).split('/');
    let host = steps.next().unwrap_or_default();
    let bare = host.rsplit('@').next().unwrap_or(host).to_ascii_lowercase();
    match (bare.strip_prefix("www.").unwrap_or(&bare), steps.next(), steps.next()) {
        ("github.com", Some(owner), Some(name)) => format!("https://github.com/{owner}/{name}"),
        _ => plain(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_repository_has_one_key() {
        for text in [
            "binder-examples/requirements",
            "Binder-Examples/Requirements",
            "binder-examples/requirements.git",
            "https://github.com/binder-examples/requirements",
            "https://github.com/binder-examples/requirements/",
            "http://www.github.com/binder-examples/Requirements.git",
            "https://github.com/binder-examples/requirements/tree/main/notebooks?x=1#y",
            "github.com/binder-examples/requirements",
            "git@github.com:binder-examples/requirements.git",
            " binder-examples/requirements ",
        ] {
            assert_eq!(repository_key(text).unwrap(), "https://github.com/binder-examples/requirements", "{text}");
        }
    }

    #[test]
    fn repositories_elsewhere_keep_their_address() {
        for (text, key) in [
            ("https://gitlab.com/Group/Sub/Name", "https://gitlab.com/Group/Sub/Name"),
            ("https://gitlab.com/Group/Name.git", "https://gitlab.com/Group/Name"),
            ("https://demo.ckan.org/dataset/s?activity_id=abc", "https://demo.ckan.org/dataset/s?activity_id=abc"),
            ("10.5281/zenodo.3242074", "10.5281/zenodo.3242074"),
            ("gitlab.com/group/name", "https://gitlab.com/group/name"),
        ] {
            assert_eq!(repository_key(text).unwrap(), key, "{text}");
        }
    }

    #[test]
    fn what_names_none_is_refused() {
        for text in ["", "requirements", "a b/c", "/x", "x/", "a/b/c"] {
            assert!(repository_key(text).is_err(), "{text}");
        }
    }
}
