//! The forms in which an answer can be had.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use query::Answer;

use crate::api;
use crate::error::Problem;

/// Set where rows were left out: what is not JSON cannot say so itself to a program.
const CUT: HeaderName = HeaderName::from_static("hubscope-truncated");

/// A form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Csv,
    Markdown,
    Parquet,
    /// The chart; of KPIs alone.
    Svg,
    /// The chart as a Vega-Lite specification; of KPIs alone.
    Vega,
}

impl Format {
    const NAMES: [(&'static str, Self); 6] = [
        ("json", Self::Json),
        ("csv", Self::Csv),
        ("markdown", Self::Markdown),
        ("parquet", Self::Parquet),
        ("svg", Self::Svg),
        ("vega", Self::Vega),
    ];

    /// The form called `name`; JSON when none is named.
    ///
    /// # Errors
    /// A problem that lists the forms.
    pub(crate) fn named(name: Option<&str>) -> Result<Self, Problem> {
        let Some(name) = name else { return Ok(Self::Json) };
        let found = Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format);
        found.ok_or_else(|| {
            let known: Vec<_> = Self::NAMES.iter().map(|(name, _)| *name).collect();
            Problem::bad_request("parameter", format!("format: '{name}' is none of {}", known.join(", ")))
        })
    }
}

/// `answer` in the form asked for; `name` is what a saved file is called. A million rows take a while to write, so that
/// happens on a blocking thread.
///
/// # Errors
/// A problem when the answer cannot be written so, or has no chart.
pub(crate) async fn formatted(answer: Answer, format: Format, name: &str) -> Result<Response, Problem> {
    let is_cut = answer.truncated;
    let written = tokio::task::spawn_blocking(move || write(&answer, format)).await;
    let mut response = written.map_err(|error| Problem::internal(format!("format: {error}")))??;
    match format {
        Format::Csv => save(&mut response, name, "csv"),
        Format::Parquet => save(&mut response, name, "parquet"),
        Format::Json | Format::Markdown | Format::Svg | Format::Vega => {}
    }
    if is_cut {
        response.headers_mut().insert(CUT, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn write(answer: &Answer, format: Format) -> Result<Response, Problem> {
    match format {
        Format::Json => api::json(&answer.json()),
        Format::Csv => Ok(typed("text/csv; charset=utf-8", answer.csv())),
        Format::Markdown => Ok(typed("text/markdown; charset=utf-8", answer.markdown())),
        Format::Parquet => {
            let bytes = answer.parquet().map_err(|error| Problem::internal(format!("parquet: {error}")))?;
            Ok(typed("application/vnd.apache.parquet", bytes))
        }
        Format::Svg | Format::Vega => {
            Err(Problem::bad_request("parameter", "format: only KPIs have a chart; ask for json or csv"))
        }
    }
}

pub(crate) fn typed(content_type: &'static str, body: impl IntoResponse) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
}

/// Makes a browser save it, under a name that only we choose.
fn save(response: &mut Response, name: &str, ending: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}.{ending}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
}
