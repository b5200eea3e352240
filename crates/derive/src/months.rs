//! Rows by the month (UTC) in which their sessions began, each month in a file.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use event::EventTime;
use insight::session::{Server, Session};
use parquet::errors::ParquetError;
use store::{Derived, DerivedDamaged, Manifest, NewFile};

use crate::columns::{kept, sorted};
use crate::file::{SessionFile, bytes_of};
use crate::rows::schema;

/// Rows could not be put into files.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Rows(#[from] ArrowError),
    #[error(transparent)]
    File(#[from] ParquetError),
    #[error(transparent)]
    Damaged(#[from] DerivedDamaged),
}

/// Rows by month, `2024-02`; none is empty. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Months(BTreeMap<String, Month>);

/// The rows of one month, sorted.
#[derive(Clone, Debug)]
enum Month {
    Written(Arc<SessionFile>),
    /// Not in a file yet.
    New(RecordBatch),
}

impl Month {
    fn read(&self) -> Result<RecordBatch, DerivedDamaged> {
        match self {
            Self::Written(file) => file.read(),
            Self::New(rows) => Ok(rows.clone()),
        }
    }
}

impl Months {
    /// Takes in the file `name` of `folder`.
    pub(crate) fn open(&mut self, folder: &Derived, manifest: &Manifest, name: &str) -> Result<(), DerivedDamaged> {
        let file = SessionFile::open(folder, manifest, name)?;
        self.0.insert(stem(name).to_owned(), Month::Written(Arc::new(file)));
        Ok(())
    }

    /// The files of those months that stand in one.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Arc<SessionFile>> {
        self.0.values().filter_map(|month| match month {
            Month::Written(file) => Some(file),
            Month::New(_) => None,
        })
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        let of_month = |month: &Month| match month {
            Month::Written(file) => file.rows(),
            Month::New(rows) => rows.num_rows(),
        };
        self.0.values().map(of_month).sum()
    }

    /// The rows, month by month. Blocks.
    pub(crate) fn read(&self) -> impl Iterator<Item = Result<RecordBatch, DerivedDamaged>> {
        self.0.values().map(Month::read)
    }

    /// The same of those months that begin before `to`.
    pub(crate) fn read_before(&self, to: EventTime) -> impl Iterator<Item = Result<RecordBatch, DerivedDamaged>> {
        self.0.range(..=month(to)).map(|(_, month)| month.read())
    }

    /// Puts `more` to them. Whether there were any.
    pub(crate) fn add(&mut self, more: &[RecordBatch]) -> Result<bool, NotKept> {
        let more = by_month(more)?;
        let is_more = !more.is_empty();
        for (month, rows) in more {
            let rows = match self.0.get(&month) {
                Some(known) => [known.read()?, rows].to_vec(),
                None => [rows].to_vec(),
            };
            self.0.insert(month, Month::New(sorted(&rows)?));
        }
        Ok(is_more)
    }

    /// Takes out the rows for which `stays` does not say so. Whether there were any.
    pub(crate) fn keep_only(&mut self, stays: &dyn Fn(&str, &Server, &Session) -> bool) -> Result<bool, NotKept> {
        let mut changed = false;
        for (month, known) in std::mem::take(&mut self.0) {
            let rows = known.read()?;
            let left = kept(&rows, stays)?;
            if left.num_rows() == rows.num_rows() {
                self.0.insert(month, known);
                continue;
            }
            changed = true;
            if left.num_rows() > 0 {
                self.0.insert(month, Month::New(left));
            }
        }
        Ok(changed)
    }

    /// Takes out the rows that began before `from`. Whether there were any.
    pub(crate) fn drop_before(&mut self, from: EventTime) -> Result<bool, NotKept> {
        let later = self.0.split_off(&month(from));
        let mut dropped = !self.0.is_empty();
        self.0 = later;
        if let Some(known) = self.0.remove(&month(from)) {
            let mut one = Self([(month(from), known)].into());
            dropped |= one.keep_only(&|_, _, session| session.start >= from)?;
            self.0.append(&mut one.0);
        }
        Ok(dropped)
    }

    /// What a folder is to hold for them.
    pub(crate) fn files_wanted(&self) -> Result<Vec<NewFile>, ParquetError> {
        let of_month = |(month, rows): (&String, &Month)| match rows {
            Month::Written(file) => Ok(NewFile::Kept(file.name().to_owned())),
            Month::New(rows) => {
                Ok(NewFile::Bytes { stem: month.clone(), extension: "parquet", bytes: bytes_of(rows)? })
            }
        };
        self.0.iter().map(of_month).collect()
    }

    /// Reads those that were new from now on from `folder`, which has them.
    pub(crate) fn written(&mut self, folder: &Derived, manifest: &Manifest) -> Result<(), DerivedDamaged> {
        for name in manifest.files.keys() {
            if matches!(self.0.get(stem(name)), Some(Month::New(_))) {
                self.open(folder, manifest, name)?;
            }
        }
        Ok(())
    }
}

/// What the name of a file begins with.
pub(crate) fn stem(name: &str) -> &str {
    name.rsplit_once('-').map_or(name, |(stem, _)| stem)
}

/// Rows by the month in which they began.
fn by_month(batches: &[RecordBatch]) -> Result<BTreeMap<String, RecordBatch>, ArrowError> {
    let mut months: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
    for batch in batches {
        let starts =
            batch.column_by_name("start").and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        let starts = starts.map(|starts| starts.values().as_ref()).unwrap_or_default();
        let of_row: Vec<String> = starts.iter().map(|start| month(EventTime::from_micros(*start))).collect();
        let mut found: Vec<&String> = of_row.iter().collect();
        found.sort();
        found.dedup();
        for month in found {
            let mask: BooleanArray = of_row.iter().map(|of_row| Some(of_row == month)).collect();
            months.entry(month.clone()).or_default().push(filter_record_batch(batch, &mask)?);
        }
    }
    let joined = |(month, rows): (String, Vec<RecordBatch>)| Ok((month, concat_batches(&schema(), &rows)?));
    months.into_iter().map(joined).collect()
}

/// `2024-02`.
fn month(at: EventTime) -> String {
    at.day().to_string().rsplit_once('-').map(|(month, _)| month.to_owned()).unwrap_or_default()
}
