//! The same chart as a Vega-Lite specification: self-contained, with its rows inside and its read-outs in words.
//!
//! Nothing in it is fetched or run: no address, and of expressions only comparisons that we write. The parameter
//! `chosen` is the middle of a period (milliseconds), a number of the axis or the place of a row; whoever shows the
//! chart sets it from pointer and keyboard alike and finds what to say in `usermeta.stops`.

use serde_json::{Value, json};

use super::data::{Data, Period};
use super::text::plain;
use super::{Size, curve, heat, histogram, lorenz, ranking, rows, step_word, zone};
use crate::kpi::{ChartKind, Kpi, KpiAnswer};

const SCHEMA: &str = "https://vega.github.io/schema/vega-lite/v6.json";

const DAY_MS: i64 = 86_400_000;

/// More periods than this are drawn as lines or surfaces: bars would be narrower than three pixels.
const BARS_MAX: usize = 200;

/// `answer` as a Vega-Lite specification.
pub fn vega_lite(kpi: &Kpi, answer: &KpiAnswer) -> Value {
    match kpi.chart {
        ChartKind::Ranking => ranked(kpi, answer),
        ChartKind::Heat => field(kpi, answer),
        ChartKind::Histogram => classes(kpi, answer),
        ChartKind::Curve => steps(kpi, answer),
        ChartKind::Lorenz => shares(kpi, answer),
        ChartKind::Bar | ChartKind::Line | ChartKind::Stacked => over_time(kpi, answer),
    }
}

fn document(kpi: &Kpi, answer: &KpiAnswer, datasets: Value, layers: Vec<Value>, stops: Vec<Value>) -> Value {
    json!({
        "$schema": SCHEMA,
        "title": plain(&kpi.question),
        "description": plain(&answer.message),
        "width": 1000,
        "height": 320,
        "datasets": datasets,
        "params": [{"name": "chosen", "value": null}],
        "layer": layers,
        "config": config(),
        "usermeta": {"stops": stops, "zone": zone(answer), "unit": kpi.unit},
    })
}

/// The look in light colours; a page puts its own in place.
fn config() -> Value {
    json!({
        "background": "#ffffff",
        "font": "system-ui, sans-serif",
        "view": {"stroke": null},
        "mark": {"color": "#1d3f8f"},
        "axis": {
            "labelColor": "#5a6572", "titleColor": "#5a6572", "titleFontWeight": "normal", "domainColor": "#5a6572",
            "gridColor": "#5a6572", "gridOpacity": 0.15, "tickColor": "#5a6572", "labelFontSize": 12, "titleFontSize": 12,
        },
        "legend": {"labelColor": "#1b2026", "labelFontSize": 12},
        "range": {"category": ["#1d3f8f", "#d9760f", "#17a08a", "#7a1f55", "#8b95a1"]},
        "style": {
            "before": {"color": "#1b2026", "strokeOpacity": 0.75, "strokeWidth": 1.25},
            "whisker": {"color": "#1b2026"},
            "gap": {"color": "#1b2026", "fillOpacity": 0.05},
            "cursor": {"color": "#b34e00", "strokeWidth": 2},
            "name": {"color": "#1b2026", "fontSize": 12},
            "value": {"color": "#5a6572", "fontSize": 12},
        },
    })
}

fn over_time(kpi: &Kpi, answer: &KpiAnswer) -> Value {
    let Some(data) = Data::of(kpi, answer) else {
        return document(kpi, answer, json!({"figures": []}), vec![nothing()], Vec::new());
    };
    let is_stacked = kpi.chart != ChartKind::Line && data.is_split();
    let has_bars = kpi.chart != ChartKind::Line && data.periods.len() <= BARS_MAX;
    let mut layers = vec![json!({
        "data": {"name": "gaps"},
        "mark": {"type": "rect", "style": "gap"},
        "encoding": {"x": time("from", &axis(kpi, answer)), "x2": {"field": "to"}},
    })];
    if has_bars {
        layers.push(bars(kpi, answer, &data));
    } else if is_stacked {
        layers.push(surfaces(kpi, answer, &data));
    } else {
        layers.extend(lines(kpi, answer, &data));
    }
    if data.bounds.iter().flatten().any(|(low, high)| low < high) {
        layers.push(whiskers(kpi, answer, &data));
    }
    if !data.before.is_empty() {
        let interpolate = if has_bars { "step" } else { "linear" };
        layers.push(json!({
            "data": {"name": "before"},
            "mark": {"type": "line", "style": "before", "interpolate": interpolate},
            "encoding": {"x": time("middle", &axis(kpi, answer)), "y": {"field": "value", "type": "quantitative"}},
        }));
    }
    layers.push(json!({
        "data": {"name": "periods"},
        "transform": [{"filter": "datum.middle === chosen"}],
        "mark": {"type": "rule", "style": "cursor"},
        "encoding": {"x": time("middle", &axis(kpi, answer))},
    }));
    let stops = data.periods.iter().enumerate().map(|(at, period)| {
        json!({"at": middle(*period), "from": millis(period.from), "to": millis(period.to), "read": data.read_out(kpi, at)})
    });
    document(kpi, answer, datasets(kpi, &data, is_stacked), layers, stops.collect())
}

fn datasets(kpi: &Kpi, data: &Data, is_stacked: bool) -> Value {
    let mut figures = Vec::new();
    let mut below = vec![0.0; data.periods.len()];
    for series in &data.series {
        for (at, period) in data.periods.iter().enumerate() {
            let value = series.values.get(at).copied().flatten();
            let neighbour = |step: isize| {
                let other = at.checked_add_signed(step);
                other.and_then(|other| series.values.get(other).copied().flatten()).is_some()
            };
            let base = below.get(at).copied().unwrap_or(0.0);
            figures.push(json!({
                "period": period.from.to_string(),
                "from": millis(period.from), "to": millis(period.to), "middle": middle(*period),
                "series": series.name, "value": value.map(number),
                "low": value.map(|_| number(base)), "high": value.map(|value| number(base + value)),
                "unfinished": period.is_unfinished,
                // The last of what is finished begins the dashed way.
                "dashed": period.is_unfinished || data.periods.get(at + 1).is_some_and(|next| next.is_unfinished),
                "alone": value.is_some() && !neighbour(-1) && !neighbour(1),
                "read": data.read_out(kpi, at),
            }));
            if let (true, Some(value), Some(sum)) = (is_stacked, value, below.get_mut(at)) {
                *sum += value;
            }
        }
    }
    let gaps: Vec<Value> =
        data.gaps().into_iter().map(|(from, to)| json!({"from": millis(from), "to": millis(to)})).collect();
    let periods: Vec<Value> = data.periods.iter().map(|period| json!({"middle": middle(*period)})).collect();
    let before = data.before.iter().zip(&data.periods);
    let before: Vec<Value> =
        before.map(|(value, period)| json!({"middle": middle(*period), "value": value.map(number)})).collect();
    let bounds = data.bounds.iter().zip(&data.periods).filter_map(|(bounds, period)| {
        let (low, high) = bounds.filter(|(low, high)| low < high)?;
        Some(json!({"middle": middle(*period), "low": number(low), "high": number(high)}))
    });
    let bounds: Vec<Value> = bounds.collect();
    json!({"figures": figures, "gaps": gaps, "periods": periods, "before": before, "bounds": bounds})
}

fn bars(kpi: &Kpi, answer: &KpiAnswer, data: &Data) -> Value {
    json!({
        "data": {"name": "figures"},
        "mark": {"type": "bar", "xOffset": 1, "x2Offset": -1},
        "encoding": {
            "x": time("from", &axis(kpi, answer)), "x2": {"field": "to"},
            "y": value("high", kpi, data), "y2": {"field": "low"},
            "color": colour(data),
            "opacity": {"condition": {"test": "datum.unfinished", "value": 0.35}, "value": 1},
            "tooltip": {"field": "read", "type": "nominal"},
        },
    })
}

fn surfaces(kpi: &Kpi, answer: &KpiAnswer, data: &Data) -> Value {
    json!({
        "data": {"name": "figures"},
        "mark": {"type": "area"},
        "encoding": {
            "x": time("middle", &axis(kpi, answer)),
            "y": value("high", kpi, data), "y2": {"field": "low"},
            "color": colour(data),
        },
    })
}

fn lines(kpi: &Kpi, answer: &KpiAnswer, data: &Data) -> Vec<Value> {
    let layer = |mark: Value, filter: &str| {
        json!({
            "data": {"name": "figures"},
            "transform": [{"filter": filter}],
            "mark": mark,
            "encoding": {
                "x": time("middle", &axis(kpi, answer)),
                "y": value("value", kpi, data),
                "color": colour(data),
                "tooltip": {"field": "read", "type": "nominal"},
            },
        })
    };
    vec![
        layer(json!({"type": "line", "strokeWidth": 1.75}), "!datum.unfinished"),
        layer(json!({"type": "line", "strokeWidth": 1.75, "strokeDash": [3, 3]}), "datum.dashed"),
        layer(json!({"type": "point", "filled": true}), "datum.alone"),
        layer(json!({"type": "point", "filled": true, "size": 60}), "datum.middle === chosen"),
    ]
}

/// From the least possible value to the greatest.
fn whiskers(kpi: &Kpi, answer: &KpiAnswer, data: &Data) -> Value {
    json!({
        "data": {"name": "bounds"},
        "mark": {"type": "rule", "style": "whisker", "strokeWidth": 1.25},
        "encoding": {
            "x": time("middle", &axis(kpi, answer)),
            "y": value("low", kpi, data), "y2": {"field": "high"},
        },
    })
}

/// A chart without a row still says so.
fn nothing() -> Value {
    json!({"data": {"values": [{}]}, "mark": {"type": "text", "text": "No data", "style": "name"}})
}

fn ranked(kpi: &Kpi, answer: &KpiAnswer) -> Value {
    let ranks = ranking::rows(answer, Size::Page);
    if ranks.is_empty() {
        return document(kpi, answer, json!({"figures": []}), vec![nothing()], Vec::new());
    }
    let figures: Vec<Value> = ranks
        .iter()
        .enumerate()
        .map(|(at, rank)| {
            json!({"at": at, "name": rank.shown(), "value": number(rank.value), "words": rank.words(), "read": rank.read_out(kpi)})
        })
        .collect();
    let stops = ranks.iter().enumerate().map(|(at, rank)| json!({"at": at, "read": rank.read_out(kpi)})).collect();
    let place =
        json!({"field": "at", "type": "ordinal", "axis": null, "scale": {"paddingInner": 0.1, "paddingOuter": 0.1}});
    let text = |field: &str, style: &str, align: &str, x: Value| {
        json!({
            "mark": {"type": "text", "style": style, "align": align, "baseline": "middle", "yOffset": -7,
                     "limit": {"expr": if align == "left" { "width - 90" } else { "80" }}},
            "encoding": {"x": x, "y": place, "text": {"field": field, "type": "nominal"}},
        })
    };
    let layers = vec![
        json!({
            "mark": {"type": "bar", "height": 9, "yOffset": 8},
            "encoding": {
                "x": {"field": "value", "type": "quantitative", "axis": null, "scale": {"zero": true, "nice": false}},
                "y": place,
                "opacity": {"condition": {"test": "chosen === null || datum.at === chosen", "value": 1}, "value": 0.55},
                "tooltip": {"field": "read", "type": "nominal"},
            },
        }),
        text("name", "name", "left", json!({"value": 0})),
        text("words", "value", "right", json!({"value": "width"})),
    ];
    let mut drawn = document(kpi, answer, json!({"figures": figures}), layers, stops);
    if let Some(object) = drawn.as_object_mut() {
        object.insert("data".to_owned(), json!({"name": "figures"}));
    }
    drawn
}

fn field(kpi: &Kpi, answer: &KpiAnswer) -> Value {
    let field = heat::Field::of(answer, Size::Page);
    if field.largest <= 0.0 {
        return document(kpi, answer, json!({"figures": []}), vec![nothing()], Vec::new());
    }
    let squares = field.squares.iter().enumerate();
    let figures: Vec<Value> = squares
        .clone()
        .map(|(at, square)| {
            json!({
                "at": at, "line": field.lines.get(square.line), "place": field.places.get(square.place),
                "value": number(square.value), "share": square.share, "read": square.read_out(kpi),
            })
        })
        .collect();
    let stops = squares.map(
        |(at, square)| json!({"at": at, "line": square.line, "place": square.place, "read": square.read_out(kpi)}),
    );
    let words = |of: &str, shown: &[String], axis: Value| json!({"field": of, "type": "ordinal", "scale": {"domain": shown, "padding": 0.03}, "axis": axis});
    let axis = |more: Value| {
        let mut axis = json!({"title": null, "domain": false, "ticks": false, "labelOverlap": true, "labelLimit": 90});
        if let (Some(axis), Value::Object(more)) = (axis.as_object_mut(), more) {
            axis.extend(more);
        }
        axis
    };
    let below = json!({
        "labelAngle": 0, "orient": "bottom", "title": field.fullest(kpi), "titleAnchor": "start", "titlePadding": 4,
    });
    let across = words("place", &field.places, axis(below));
    let down = words("line", &field.lines, axis(json!({})));
    let layer = json!({
        "data": {"name": "figures"},
        "mark": {"type": "rect"},
        "encoding": {
            "x": across,
            "y": down,
            "opacity": {"field": "share", "type": "quantitative", "scale": {"domain": [0, 1], "range": [0, 1]},
                        "legend": null},
            "tooltip": {"field": "read", "type": "nominal"},
        },
    });
    let chosen = json!({
        "data": {"name": "figures"},
        "transform": [{"filter": "datum.at === chosen"}],
        "mark": {"type": "rect", "style": "cursor", "filled": false},
        "encoding": {"x": across, "y": down},
    });
    let size = json!({"lines": field.lines.len(), "places": field.places.len()});
    let drawn = document(kpi, answer, json!({"figures": figures}), vec![layer, chosen], stops.collect());
    with_meta(drawn, "field", size)
}

/// An upright bar for each class. Where their names have no room in one line, each word has its own.
fn classes(kpi: &Kpi, answer: &KpiAnswer) -> Value {
    let classes = rows::of(answer);
    if rows::highest(&classes) <= 0.0 {
        return document(kpi, answer, json!({"figures": []}), vec![nothing()], Vec::new());
    }
    let numbered = || classes.iter().enumerate();
    let figures = numbered().map(|(at, class)| {
        let (low, high) = class.bounds.unzip();
        json!({
            "at": at, "name": class.shown(), "value": number(class.value),
            "low": low.map(number), "high": high.map(number), "read": class.read_out(kpi),
        })
    });
    let figures: Vec<Value> = figures.collect();
    let stops = numbered().map(|(at, class)| json!({"at": at, "read": class.read_out(kpi)}));
    let narrow = histogram::width_for_names(&classes).ceil();
    let across = json!({
        "field": "name", "type": "ordinal", "sort": null, "scale": {"paddingInner": 0.02, "paddingOuter": 0},
        "axis": {
            "title": null, "labelAngle": 0, "ticks": false, "labelOverlap": true, "labelLimit": 170,
            "labelExpr": format!("width < {narrow} ? split(datum.label, ' ') : datum.label"),
        },
    });
    let up = |field: &str| upwards(field, &plain(&kpi.unit), rows::is_whole(&classes));
    let mut layers = vec![json!({
        "data": {"name": "figures"},
        "mark": {"type": "bar"},
        "encoding": {
            "x": across,
            "y": up("value"),
            "opacity": {"condition": {"test": "chosen === null || datum.at === chosen", "value": 1}, "value": 0.55},
            "tooltip": {"field": "read", "type": "nominal"},
        },
    })];
    if classes.iter().any(|class| class.bounds.is_some()) {
        layers.push(json!({
            "data": {"name": "figures"},
            "mark": {"type": "rule", "style": "whisker", "strokeWidth": 1.25},
            "encoding": {"x": across, "y": up("low"), "y2": {"field": "high"}},
        }));
    }
    let drawn = document(kpi, answer, json!({"figures": figures}), layers, stops.collect());
    with_meta(drawn, "classes", classes.len().into())
}

/// A level for each stretch of the horizontal axis, with a band of what is possible.
fn steps(kpi: &Kpi, answer: &KpiAnswer) -> Value {
    let steps = curve::steps(answer);
    let Some(first) = steps.first() else {
        return document(kpi, answer, json!({"figures": []}), vec![nothing()], Vec::new());
    };
    let figure = |at: f64, row: &rows::Row| {
        let (low, high) = row.bounds.unwrap_or((row.value, row.value));
        json!({"at": number(at), "value": number(row.value), "low": number(low), "high": number(high),
               "read": row.read_out(kpi)})
    };
    // A step reaches back to the one before it, and the first to 0.
    let figures: Vec<Value> =
        [figure(0.0, &first.row)].into_iter().chain(steps.iter().map(|step| figure(step.to, &step.row))).collect();
    let stops = steps.iter().map(|step| {
        json!({"at": number(step.to), "from": number(step.from), "to": number(step.to), "read": step.row.read_out(kpi)})
    });
    let end = curve::across(&steps, Size::Page).end;
    let across = across("at", &rows::first_words(answer), end);
    let is_whole = steps.iter().all(|step| step.row.value.fract() == 0.0);
    let up = |field: &str| upwards(field, &plain(&kpi.unit), is_whole);
    let layers = vec![
        json!({
            "data": {"name": "figures"},
            "mark": {"type": "area", "interpolate": "step-before", "opacity": 0.25},
            "encoding": {"x": across, "y": up("low"), "y2": {"field": "high"}},
        }),
        json!({
            "data": {"name": "figures"},
            "mark": {"type": "line", "interpolate": "step-before", "strokeWidth": 1.75},
            "encoding": {"x": across, "y": up("value")},
        }),
        cursor("figures", &across),
    ];
    document(kpi, answer, json!({"figures": figures}), layers, stops.collect())
}

/// What the rows have together against how many have it.
fn shares(kpi: &Kpi, answer: &KpiAnswer) -> Value {
    let Some(shares) = lorenz::Shares::of(kpi, answer) else {
        return document(kpi, answer, json!({"figures": []}), vec![nothing()], Vec::new());
    };
    let (scale_across, scale_up) = shares.scales(Size::Page);
    let points = || shares.points.iter();
    let figures: Vec<Value> =
        points().map(|point| json!({"x": number(point.x), "y": number(point.y), "read": point.read})).collect();
    let stops = points().map(
        |point| json!({"at": number(point.x), "from": number(point.from), "to": number(point.x), "read": point.read}),
    );
    let origin = json!({"x": 0, "y": 0});
    let way: Vec<Value> = [origin.clone()].into_iter().chain(figures.iter().cloned()).collect();
    let even = [origin, json!({"x": number(shares.end.0), "y": number(shares.end.1)})];
    let across = across("x", &shares.across_words(kpi), scale_across.end);
    let title = format!("{}; {}", plain(&shares.up_words(kpi)), lorenz::EVEN);
    let mut up = upwards("y", &title, false);
    if let Some(scale) = up.get_mut("scale") {
        *scale = json!({"domain": [0, number(scale_up.end)], "nice": false});
    }
    let layer =
        |data: &str, mark: Value| json!({"data": {"name": data}, "mark": mark, "encoding": {"x": across, "y": up}});
    let layers = vec![
        layer("even", json!({"type": "line", "style": "before"})),
        layer("way", json!({"type": "line", "strokeWidth": 1.75})),
        layer("figures", json!({"type": "point", "filled": true, "size": 40, "opacity": 1})),
        cursor("figures", &across),
    ];
    let datasets = json!({"figures": figures, "way": way, "even": even});
    document(kpi, answer, datasets, layers, stops.collect())
}

/// The line at the number that is chosen.
fn cursor(data: &str, across: &Value) -> Value {
    let field = across.get("field").and_then(Value::as_str).unwrap_or_default();
    json!({
        "data": {"name": data},
        "transform": [{"filter": format!("datum.{field} === chosen")}],
        "mark": {"type": "rule", "style": "cursor"},
        "encoding": {"x": across},
    })
}

/// Numbers from 0 to `end`, with what they count.
fn across(field: &str, title: &str, end: f64) -> Value {
    json!({
        "field": field, "type": "quantitative", "scale": {"domain": [0, number(end)], "nice": false},
        "axis": {
            "title": plain(title), "titleAnchor": "end", "titlePadding": 4, "grid": false, "labelOverlap": true,
            "tickCount": {"expr": "max(2, floor(width / 90))"},
        },
    })
}

fn with_meta(mut drawn: Value, name: &str, value: Value) -> Value {
    if let Some(meta) = drawn.get_mut("usermeta").and_then(Value::as_object_mut) {
        meta.insert(name.to_owned(), value);
    }
    drawn
}

fn axis(kpi: &Kpi, answer: &KpiAnswer) -> Value {
    let step = step_word(kpi.grain);
    json!({
        "title": format!("{step} ({})", zone(answer)), "titleAnchor": "end", "titlePadding": 4, "grid": false,
        "labelOverlap": true, "labelFlush": true, "tickCount": {"expr": "max(2, floor(width / 90))"},
    })
}

/// Time of days as they are in their zone: the drawing itself knows no zone.
fn time(field: &str, axis: &Value) -> Value {
    json!({"field": field, "type": "temporal", "scale": {"type": "utc", "nice": false}, "axis": axis})
}

fn value(field: &str, kpi: &Kpi, data: &Data) -> Value {
    let compared = if data.before.is_empty() { String::new() } else { format!("; thin line: {}", data.before_words) };
    upwards(field, &format!("{}{compared}", plain(&kpi.unit)), data.is_whole())
}

/// Values upwards from 0, under a title.
fn upwards(field: &str, title: &str, is_whole: bool) -> Value {
    let mut axis = json!({
        "title": title, "titleAngle": 0, "titleAlign": "left", "titleAnchor": "start", "titleX": -4,
        "titleY": -10, "titleBaseline": "bottom", "tickCount": 4, "domain": false, "ticks": false,
    });
    if let (true, Some(axis)) = (is_whole, axis.as_object_mut()) {
        axis.insert("tickMinStep".to_owned(), 1.into());
        axis.insert("format".to_owned(), ",d".into());
    }
    json!({"field": field, "type": "quantitative", "scale": {"zero": true}, "axis": axis})
}

fn colour(data: &Data) -> Value {
    if !data.is_split() {
        return Value::Null;
    }
    let names: Vec<&str> = data.series.iter().map(|series| series.name.as_str()).collect();
    json!({
        "field": "series", "type": "nominal", "sort": null, "scale": {"domain": names},
        "legend": {"orient": "top", "offset": 34, "title": null, "symbolType": "square", "labelLimit": 180},
    })
}

/// A whole number without a point.
fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    if value.fract() == 0.0 && value.abs() < 9e15 { (value as i64).into() } else { value.into() }
}

fn millis(day: event::Day) -> i64 {
    i64::from(day.number()) * DAY_MS
}

fn middle(period: Period) -> i64 {
    i64::midpoint(millis(period.from), millis(period.to))
}
