//! The token in a request, in each of the ways in which senders can present one.

use axum::http::{HeaderMap, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Name of the query parameter.
const PARAMETER: &str = "token";

/// The token in the header `Authorization`: `Bearer X`, `token X`, or `Basic` with X as the password (or, without a
/// password, as the name). A header of another scheme, or one that cannot be read, is an empty token, which there is
/// not: who tries to identify and fails must hear of it.
pub(super) fn of_header(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?;
    Some(value.to_str().ok().and_then(of_authorization).unwrap_or_default())
}

fn of_authorization(value: &str) -> Option<String> {
    let (scheme, rest) = value.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (name, password) = pair.split_once(':')?;
    Some(if password.is_empty() { name } else { password }.to_owned())
}

/// Takes the parameter `token` out of the address, wherever it stands there.
pub(super) fn take_parameter(uri: &mut Uri) -> Option<String> {
    let query = uri.query()?;
    let is_token = |pair: &&str| pair.split('=').next() == Some(PARAMETER);
    let (tokens, others): (Vec<&str>, Vec<&str>) = query.split('&').partition(is_token);
    let value = tokens.first()?.split_once('=').map_or("", |(_, value)| value);
    let secret = url::form_urlencoded::parse(format!("{PARAMETER}={value}").as_bytes()).next()?.1.into_owned();
    let path = uri.path();
    let rest = if others.is_empty() { path.to_owned() } else { format!("{path}?{}", others.join("&")) };
    let mut parts = uri.clone().into_parts();
    // What was an address stays one when a part of its query goes.
    parts.path_and_query = Some(rest.parse().ok()?);
    *uri = Uri::from_parts(parts).ok()?;
    Some(secret)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn every_way_of_presenting_a_token_is_understood() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (header, expected) in [
            ("Bearer abc".to_owned(), "abc"),
            ("bearer  abc ".to_owned(), "abc"),
            ("token abc".to_owned(), "abc"),
            (basic("hub:abc"), "abc"),
            (basic(":abc"), "abc"),
            (basic("abc:"), "abc"),
            (basic("hub:a:c"), "a:c"),
            ("Basic !!".to_owned(), ""),
            ("Negotiate abc".to_owned(), ""),
            ("abc".to_owned(), ""),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&header).unwrap());
            assert_eq!(of_header(&headers).as_deref(), Some(expected), "{header}");
        }
        assert_eq!(of_header(&HeaderMap::new()), None);
    }

    #[test]
    fn the_parameter_is_taken_out_and_the_others_stay_as_they_are() {
        for (before, secret, after) in [
            ("/a?token=x", Some("x"), "/a"),
            ("/a?token=x&b=%20c&d", Some("x"), "/a?b=%20c&d"),
            ("/a?b=1&token=x%2By&c=2", Some("x+y"), "/a?b=1&c=2"),
            ("/a?token", Some(""), "/a"),
            ("/a?token=x&token=y", Some("x"), "/a"),
            ("/a?tokens=x&atoken=y", None, "/a?tokens=x&atoken=y"),
            ("/a", None, "/a"),
            ("http://host:1/a?token=x&b", Some("x"), "http://host:1/a?b"),
        ] {
            let mut uri: Uri = before.parse().unwrap();
            assert_eq!(take_parameter(&mut uri).as_deref(), secret, "{before}");
            assert_eq!(uri.to_string(), after, "{before}");
        }
    }
}
