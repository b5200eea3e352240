//! The files of `web/`, built into the program.

use std::hash::{DefaultHasher, Hasher};
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::error::Problem;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const ASSETS: [Asset; 4] = [
    Asset { name: "page.css", content_type: "text/css; charset=utf-8", bytes: include_bytes!("../../../web/page.css") },
    Asset {
        name: "chart.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../../web/chart.css"),
    },
    Asset {
        name: "now.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../../web/now.js"),
    },
    Asset { name: "icon.svg", content_type: "image/svg+xml", bytes: include_bytes!("../../../web/icon.svg") },
];

/// Changes when any asset does, so that browsers may keep one for ever and still see the next release.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    for asset in &ASSETS {
        hasher.write(asset.bytes);
    }
    format!("{:016x}", hasher.finish())
});

/// The address of the asset `name`, from a page `root` (`""`, `"../"`) below the pages' root.
pub(crate) fn address(root: &str, name: &str) -> String {
    debug_assert!(ASSETS.iter().any(|asset| asset.name == name), "no asset {name}");
    format!("{root}assets/{name}?v={}", *VERSION)
}

/// `GET /assets/{name}`.
pub(crate) async fn get(Path(name): Path<String>) -> Result<Response, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    let asset = asset.ok_or_else(|| Problem::not_found(format!("there is no asset '{name}'")))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, asset.bytes).into_response())
}

/// `GET /favicon.ico`: the icon under the one name that never changes, so it is kept for a day alone.
pub(crate) async fn icon() -> Result<Response, Problem> {
    let mut response = get(Path("icon.svg".to_owned())).await?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400"));
    Ok(response)
}
