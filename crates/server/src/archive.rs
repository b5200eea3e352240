//! `/archive/`: the published files, as they lie in their folder.

use std::io;
use std::path::Path as FilePath;
use std::time::UNIX_EPOCH;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use event::Day;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::error::Problem;
use crate::router;

/// Bytes read from a file at once: few enough that a thousand readers cost 64 MB.
const PIECE_BYTES: usize = 64 * 1024;

/// `GET /archive/`.
pub(crate) async fn index(state: State<router::State>, headers: HeaderMap) -> Result<Response, Problem> {
    file(state, Path("index.html".to_owned()), headers).await
}

/// `GET /archive/{file}`.
pub(crate) async fn file(
    State(state): State<router::State>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found(format!("the archive has no file '{name}'"));
    let folder = state.app.archive.as_deref().ok_or_else(|| Problem::not_found("no archive is published here"))?;
    let content_type = content_type(&name).ok_or_else(missing)?;
    let opened = open(folder, &name).await.map_err(|error| Problem::internal(format!("archive file: {error}")))?;
    let (file, bytes, tag) = opened.ok_or_else(missing)?;
    if headers.get(header::IF_NONE_MATCH) == Some(&tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CONTENT_LENGTH, HeaderValue::from(bytes)),
        (header::ETAG, tag),
    ];
    Ok((headers, Body::from_stream(pieces(file))).into_response())
}

/// The type of the published file `name`; `None` for every name that is not one of a published file, and with that for
/// anything that could lead out of the folder.
fn content_type(name: &str) -> Option<&'static str> {
    match name {
        "index.html" => Some("text/html; charset=utf-8"),
        "index.jsonl" => Some("application/x-ndjson"),
        "archive.css" => Some("text/css; charset=utf-8"),
        _ => {
            let day = name.strip_prefix("events-")?.strip_suffix(".jsonl")?;
            day.parse::<Day>().ok().map(|_| "application/x-ndjson")
        }
    }
}

/// The file, its length and its tag; `None` when there is none. The publisher replaces files by renaming, so an open
/// one never changes.
async fn open(folder: &FilePath, name: &str) -> io::Result<Option<(File, u64, HeaderValue)>> {
    let file = match File::open(folder.join(name)).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata().await?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let written = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let tag = HeaderValue::from_str(&format!("\"{written:x}-{:x}\"", metadata.len())).map_err(io::Error::other)?;
    Ok(Some((file, metadata.len(), tag)))
}

fn pieces(file: File) -> impl futures::Stream<Item = io::Result<Bytes>> {
    futures::stream::try_unfold(file, |mut file| async move {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        let read = file.read_buf(&mut piece).await?;
        Ok((read > 0).then(|| (piece.freeze(), file)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_published_files_have_a_type() {
        for name in ["index.html", "index.jsonl", "events-2018-11-03.jsonl"] {
            assert!(content_type(name).is_some(), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "../state/tokens.json",
            "..\\index.html",
            "events-../../x.jsonl",
            "events-2018-13-03.jsonl",
            "events-2018-11-03.jsonl.part",
            "events-2018-11-03.jsonl\0",
            "Index.html",
            "events-.jsonl",
        ] {
            assert!(content_type(name).is_none(), "{name}");
        }
    }
}
