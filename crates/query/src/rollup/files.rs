//! Facts as files: one of plain Parquet for each cell and month, and one that says what the parts cover.
//!
//! The files hold `kind`, `day`, `key` and `n`, sorted, so that equal facts give equal bytes: what was made anew is
//! compared by the bytes with what went on for years. This only makes and reads bytes; whoever owns the folder writes
//! them ([`store::Derived`]).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{AsArray, Date32Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, Int64Type, Schema};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use event::Day;
use insight::facts::Series;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::{Coverage, Derived, DerivedDamaged, Manifest, NewFile};

use super::cell::{Cell, CellId, Counts, Kind};
use super::follow::Base;
use super::{Parts, Rollup};
use crate::engine::Engine;
use crate::error::QueryError;
use crate::kpi::{Grain, period_end, period_of};

/// Version of the files' form and of what facts mean; it moves when a rollup's statement does, or what is made of it.
const FORM: u32 = 1;

/// Stem of the file that says what parts cover.
const PARTS: &str = "parts";

/// Rows of a row group.
const GROUP_ROWS: usize = 65_536;

/// What a folder's manifest says of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    form: u32,
    cells: Vec<CellOf>,
    /// Of which generation the kept facts are among them.
    #[serde(default)]
    history: u64,
}

/// A cell, and what the names of its files begin with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CellOf {
    stem: String,
    rollup: String,
    hub: Option<Arc<str>>,
    zone: Arc<str>,
}

/// What is to be written.
#[derive(Debug)]
pub struct RollupFiles {
    /// For the manifest.
    pub of: Value,
    /// Every file.
    pub files: Vec<NewFile>,
    base: Arc<Base>,
}

/// What was written or read last.
#[derive(Debug)]
pub(crate) struct Saved {
    base: Arc<Base>,
    files: BTreeSet<String>,
}

impl Engine {
    /// The facts as files, those of months that have not changed since they were last written or read as such. `None`
    /// when nothing changed at all, or there are no facts yet. Blocks, for about a second per ten million facts that
    /// changed.
    ///
    /// # Errors
    /// When the facts do not fit a file, which is a fault.
    pub fn rollup_files(&self) -> Result<Option<RollupFiles>, QueryError> {
        let Some(base) = self.rollups().base() else { return Ok(None) };
        let saved = self.rollups().saved.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = saved.as_ref();
        if before.map_or(base.cells.is_empty(), |saved| is_same(&saved.base, &base)) {
            return Ok(None);
        }
        let mut files = Vec::new();
        let mut cells = Vec::new();
        for (number, (id, cell)) in base.cells.iter().enumerate() {
            let stem = format!("{}-{number:03}", id.rollup.name());
            for month in months(cell) {
                let file_stem = format!("{stem}-{}", month_name(month.start));
                let known = before.and_then(|saved| {
                    // Its number is part of the names of its files.
                    saved.base.cells.keys().position(|former| former == id).filter(|former| *former == number)?;
                    let former = saved.base.cells.get(id)?;
                    let name = named(&saved.files, &file_stem)?;
                    is_same_month(former, cell, &month).then(|| name.clone())
                });
                files.push(match known {
                    Some(name) => NewFile::Kept(name),
                    None => {
                        let bytes = month_bytes(cell, &month, &|_| true).map_err(fault)?;
                        NewFile::Bytes { stem: file_stem, extension: "parquet", bytes }
                    }
                });
            }
            cells.push(CellOf {
                stem,
                rollup: id.rollup.name().to_owned(),
                hub: id.hub.clone(),
                zone: Arc::clone(&id.zone),
            });
        }
        let parts: Map<String, Value> =
            base.parts.iter().map(|(path, coverage)| (path.to_string(), coverage.to_json())).collect();
        let bytes = serde_json::to_vec(&parts).map_err(|error| QueryError::Data(error.to_string()))?;
        files.push(NewFile::Bytes { stem: PARTS.to_owned(), extension: "json", bytes });
        let of = serde_json::to_value(Of { form: FORM, cells, history: base.history })
            .map_err(|error| QueryError::Data(error.to_string()))?;
        drop(saved);
        Ok(Some(RollupFiles { of, files, base }))
    }

    /// Says that `files` were written, under the names of `manifest`.
    pub fn rollups_written(&self, files: RollupFiles, manifest: &Manifest) {
        self.note_saved(files.base, manifest);
    }

    /// Takes over the facts in `folder`, unless there are some already. Blocks, for about a second per ten million.
    /// Whether there were any of this program's form.
    ///
    /// # Errors
    /// A file that is missing or damaged: nothing is taken over, and the facts are to be made anew.
    pub fn load_rollups(&self, folder: &Derived) -> Result<bool, DerivedDamaged> {
        if self.rollups().base().is_some() {
            return Ok(true);
        }
        let Some(manifest) = folder.manifest()? else { return Ok(false) };
        let Some(of) = Of::deserialize(&manifest.of).ok().filter(|of| of.form == FORM) else { return Ok(false) };
        let names: BTreeSet<String> = manifest.files.keys().cloned().collect();
        let wrong = |name: &str, detail: String| DerivedDamaged { path: folder.path(name), detail };
        let parts_file = named(&names, PARTS).ok_or_else(|| wrong(PARTS, "it is not named".to_owned()))?;
        let parts = parts_of(&folder.read(&manifest, parts_file)?);
        let parts = parts.ok_or_else(|| wrong(parts_file, "it does not say what parts cover".to_owned()))?;
        let mut base = Base { parts, cells: BTreeMap::new(), history: of.history };
        for listed in of.cells {
            let Some(rollup) = Rollup::named(&listed.rollup) else { return Ok(false) };
            let id = CellId { rollup, hub: listed.hub, zone: listed.zone };
            base.cells.insert(id, Arc::new(cell_of(folder, &manifest, &listed.stem, rollup)?));
        }
        self.coverage().remember(&base.parts);
        let base = Arc::new(base);
        if self.rollups().set_first(&base) {
            self.note_saved(base, &manifest);
        }
        Ok(true)
    }

    /// Says that writing failed: nothing is known of the folder's files any more.
    pub fn rollups_not_written(&self) {
        *self.rollups().saved.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    fn note_saved(&self, base: Arc<Base>, manifest: &Manifest) {
        let files = manifest.files.keys().cloned().collect();
        let mut saved = self.rollups().saved.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *saved = Some(Saved { base, files });
    }
}

/// The facts in the files of `folder` whose names begin with `stem`. Blocks.
///
/// # Errors
/// A file that is missing or damaged.
pub(super) fn cell_of(
    folder: &Derived,
    manifest: &Manifest,
    stem: &str,
    rollup: Rollup,
) -> Result<Cell, DerivedDamaged> {
    let mut cell = Cell::default();
    let prefix = format!("{stem}-");
    for name in manifest.files.keys().filter(|name| name.starts_with(&prefix)) {
        let bytes = folder.read(manifest, name)?;
        let wrong = |detail: String| DerivedDamaged { path: folder.path(name), detail };
        let counts = counts_of(bytes.into(), &cell).map_err(wrong)?;
        let days = counts.days_found();
        cell.replace(rollup, &days, counts);
    }
    Ok(cell)
}

pub(super) fn fault(error: impl std::fmt::Display) -> QueryError {
    QueryError::Data(format!("facts cannot be written: {error}"))
}

/// The file whose name begins with `stem` and has nothing but its digits and extension after it.
fn named<'a>(files: &'a BTreeSet<String>, stem: &str) -> Option<&'a String> {
    let prefix = format!("{stem}-");
    let rest = |name: &String| name.strip_prefix(&prefix).is_some_and(|rest| !rest.contains('-'));
    files.range(prefix.clone()..).take_while(|name| name.starts_with(&prefix)).find(|name| rest(name))
}

/// `2024-02`.
pub(super) fn month_name(first: Day) -> String {
    first.to_string().get(..7).unwrap_or_default().to_owned()
}

fn is_same(one: &Arc<Base>, other: &Arc<Base>) -> bool {
    let same_cells = one.cells.len() == other.cells.len()
        && one
            .cells
            .iter()
            .zip(&other.cells)
            .all(|((id, cell), (other_id, other_cell))| id == other_id && Arc::ptr_eq(cell, other_cell));
    Arc::ptr_eq(one, other) || (same_cells && one.history == other.history && one.parts.keys().eq(other.parts.keys()))
}

/// The months in which a cell has facts.
pub(super) fn months(cell: &Cell) -> Vec<Range<Day>> {
    let firsts: BTreeSet<Day> = cell.days().into_iter().map(|day| period_of(Grain::Month, day)).collect();
    firsts.into_iter().map(|first| first..period_end(Grain::Month, first)).collect()
}

/// Whether the facts of a month are those of an earlier state of the same cell.
fn is_same_month(former: &Cell, cell: &Cell, month: &Range<Day>) -> bool {
    Kind::ALL.iter().all(|kind| match (former.series(*kind), cell.series(*kind)) {
        (None, None) => true,
        (Some(former), Some(now)) => {
            former.names().is_same(now.names()) && former.days(month.clone()).eq(now.days(month.clone()))
        }
        (former, now) => former.or(now).is_some_and(|only: &Series| only.days(month.clone()).next().is_none()),
    })
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("kind", DataType::Utf8, false),
        Field::new("day", DataType::Date32, false),
        Field::new("key", DataType::Utf8, false),
        Field::new("n", DataType::Int64, false),
    ]))
}

/// The facts of those days of a month that `is_meant` means, as a Parquet file.
pub(super) fn month_bytes(
    cell: &Cell,
    month: &Range<Day>,
    is_meant: &dyn Fn(Day) -> bool,
) -> Result<Vec<u8>, datafusion::parquet::errors::ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_created_by("hubscope".to_owned())
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema(), Some(properties))?;
    let mut kinds: Vec<(Kind, &Series)> = cell.kinds().collect();
    kinds.sort_by_key(|(kind, _)| kind.name());
    for (kind, series) in kinds {
        let names = series.names().read();
        for (day, block) in series.days(month.clone()).filter(|(day, _)| is_meant(*day)) {
            let mut rows: Vec<(&str, i64)> =
                block.iter().filter_map(|(id, n)| Some((names.get(id)?, i64::try_from(n).ok()?))).collect();
            rows.sort_unstable();
            let batch = RecordBatch::try_new(
                schema(),
                vec![
                    Arc::new(StringArray::from_iter_values(rows.iter().map(|_| kind.name()))),
                    Arc::new(Date32Array::from_iter_values(rows.iter().map(|_| day.number()))),
                    Arc::new(StringArray::from_iter_values(rows.iter().map(|(key, _)| key))),
                    Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, n)| *n))),
                ],
            )?;
            writer.write(&batch)?;
        }
    }
    writer.close()?;
    Ok(bytes)
}

/// The facts in a file, under the names that `cell` uses.
fn counts_of(bytes: Bytes, cell: &Cell) -> Result<Counts, String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| told(&error))?;
    let reader = reader.build().map_err(|error| told(&error))?;
    let mut counts = cell.counts();
    for batch in reader {
        let batch = batch.map_err(|error| told(&error))?;
        let text = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let days = batch.column_by_name("day").and_then(|column| column.as_primitive_opt::<Date32Type>());
        let n = batch.column_by_name("n").and_then(|column| column.as_primitive_opt::<Int64Type>());
        let (Some(kinds), Some(keys), Some(days), Some(n)) = (text("kind"), text("key"), days, n) else {
            return Err("its columns are not those of facts".to_owned());
        };
        for row in 0..batch.num_rows() {
            let kind = Kind::named(kinds.value(row)).ok_or("it has facts of an unknown kind")?;
            let day = Day::from_number(days.value(row));
            counts.add(day, kind, keys.value(row), n.value(row).unsigned_abs()).map_err(|error| told(&error))?;
        }
    }
    Ok(counts)
}

fn parts_of(bytes: &[u8]) -> Option<Parts> {
    let listed: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    let part = |(path, value): (&String, &Value)| Some((path.as_str().into(), Arc::new(Coverage::from_json(value)?)));
    listed.iter().map(part).collect()
}
