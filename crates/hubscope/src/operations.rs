//! What commands do to a folder of data, whether this process owns it or a running `serve` does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use derive::Sessions;
use erasure::Erasures;
use event::{Clock, CollectorId, Day, Door, SystemClock};
use ingest::sources::import::{self, HubLogs, ImportedDay, Unit};
use jiff::tz::TimeZone;
use publish::Publisher;
use query::{Answer, Catalogue, Engine, Hubs, Params, Scope, SqlOptions};
use serde::{Deserialize, Serialize};
use store::{ImportUnit, Imported};
use tokio::sync::mpsc;

use crate::cli::{self, DerivedPart, JournalReport, TableName};
use crate::config::Config;
use crate::folder::Folder;
use crate::forget::Desk;
use crate::output::Format;
use crate::pipeline::{Disks, Pipeline};
use crate::rollups::{Rollups, SESSIONS_FOLDER};
use crate::tokens::{self, Tokens};
use crate::{questions, registry, verification};

/// Days are committed together until their text is this long, so that many small days make few parts.
const IMPORT_BYTES_A_COMMIT: usize = 64 << 20;

/// Steps of a verification that wait to be told; more nobody could follow anyway.
const STEPS_WAITING_MAX: usize = 64;

/// What can be asked of a folder. Paths are absolute: the asker and the owner may stand in different places.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    Query { sql: String, limit: Option<usize>, format: Format },
    Kpi { id: String, parameters: BTreeMap<String, String>, format: Format },
    ImportCloudLog { directory: PathBuf },
    ImportArchive { directory: PathBuf },
    ImportHubLog { files: Vec<PathBuf>, hub: String, zone: String },
    ImportHubDb { file: PathBuf, hub: String },
    Publish { to: Option<PathBuf> },
    AddSchema { text: String, origin: String },
    Schemas,
    CreateToken { hub: Option<String>, may: String },
    Tokens,
    RevokeToken { id: String },
    Verify { format: Format },
    Backup { to: PathBuf },
    InspectTable { table: TableName },
    InspectJournal,
    Forget { user: String, hub: Option<String>, format: Format },
    Rebuild { only: Option<DerivedPart> },
}

/// The commands of [`Request`], by name.
pub(crate) const COMMANDS: [&str; 18] = [
    "query",
    "kpi",
    "import-cloud-log",
    "import-archive",
    "import-hub-log",
    "import-hub-db",
    "publish",
    "add-schema",
    "schemas",
    "create-token",
    "tokens",
    "revoke-token",
    "inspect-journal",
    "forget",
    "rebuild",
    "verify",
    "backup",
    "inspect-table",
];

/// What comes back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// To be printed.
    Text(String),
    /// To be written to a file or a pipe; base64 on the way.
    Bytes(#[serde(with = "base64_text")] Vec<u8>),
    /// To be printed, and to be told beside it on standard error that it is not all.
    Part { reply: Box<Reply>, told: String },
    /// To be printed; unless it is sound, the command ends with a code of its own.
    Verdict { text: String, sound: bool },
}

mod base64_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// How far long work has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) done: u64,
    pub(crate) total: u64,
    pub(crate) what: String,
}

/// A folder of data, opened.
#[derive(Debug)]
pub(crate) struct Operations {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) rollups: Arc<Rollups>,
    pub(crate) archive: PathBuf,
    /// Forgets people.
    pub(crate) desk: Arc<Desk>,
    root: PathBuf,
}

impl Operations {
    /// Opens the folder: schemas, table, journal, engine.
    pub(crate) async fn open(folder: &Folder, config: &Config) -> Result<Self> {
        let admission = Arc::new(registry::admission(folder.root())?);
        let pipeline = Arc::new(Pipeline::open(folder, Disks::default(), config, admission).await?);
        let limits = query::Limits {
            memory_bytes_max: config.query.memory.in_memory(),
            time_max: config.query.timeout.duration(),
            ..query::Limits::default()
        };
        let sessions = Sessions::new(&pipeline.store, config.of_hubs());
        let store = Arc::clone(&pipeline.store);
        let sessions = sessions
            .with_history(store.history(SESSIONS_FOLDER))
            .with_files(store.derived(SESSIONS_FOLDER), Arc::new(move || store.snapshot()));
        let sessions = Arc::new(sessions);
        let engine = Engine::new(Arc::clone(&pipeline.store), limits)?.with_hubs(hubs(config)?);
        let engine = Arc::new(engine.with_sessions(Arc::clone(&sessions)));
        let publisher = Publisher::new(
            Arc::clone(&pipeline.store),
            pipeline.admission.registry().clone(),
            publish::Options::default(),
        );
        let archive = config.archive.directory.clone().unwrap_or_else(|| folder.archive());
        let rollups = Arc::new(Rollups::new(Arc::clone(&engine), Arc::clone(&sessions), Arc::clone(&pipeline.store)));
        let desk = Desk::new(Arc::clone(&pipeline), Arc::clone(&rollups), folder.root().to_owned(), archive.clone());
        Ok(Self {
            engine,
            sessions,
            rollups,
            catalogue: Arc::new(questions::catalogue(config)?),
            publisher: Arc::new(publisher),
            tokens: Arc::new(Tokens::open(folder.root(), Arc::new(SystemClock))?),
            archive,
            desk: Arc::new(desk),
            root: folder.root().to_owned(),
            pipeline,
        })
    }

    /// Does what is asked, telling how far it is.
    pub(crate) async fn run(&self, request: Request, progress: &(dyn Fn(Progress) + Send + Sync)) -> Result<Reply> {
        match request {
            Request::Query { sql, limit, format } => {
                let answer = self.engine.sql(&sql, SqlOptions { limit, scope: Scope::All }).await?;
                written(&answer, format)
            }
            Request::Kpi { id, parameters, format } => self.kpi(&id, parameters, format).await,
            Request::ImportCloudLog { directory } => self.import(import::cloud_log::scan(&directory)?, progress).await,
            Request::ImportArchive { directory } => self.import(import::archive::scan(&directory)?, progress).await,
            Request::ImportHubLog { files, hub, zone } => self.import_hub_log(files, &hub, &zone).await,
            Request::ImportHubDb { file, hub } => self.import_hub_db(file, &hub).await,
            Request::Publish { to } => self.publish(to.as_deref().unwrap_or(&self.archive)).await,
            Request::AddSchema { text, origin } => {
                registry::add(&self.root, &self.pipeline.admission, &text, &origin).map(Reply::Text)
            }
            Request::CreateToken { hub, may } => self.create_token(hub.as_deref(), &may),
            Request::Tokens => Ok(Reply::Text(self.tokens.listed())),
            Request::RevokeToken { id } => {
                self.tokens.revoke(&id)?;
                Ok(Reply::Text(format!("revoked {id}\n")))
            }
            Request::InspectJournal => {
                let pipeline = Arc::clone(&self.pipeline);
                let inspection = tokio::task::spawn_blocking(move || pipeline.inspect_journal()).await??;
                Ok(Reply::Text(serde_json::to_string(&JournalReport::of(&inspection, true))?))
            }
            Request::Forget { user, hub, format } => {
                let certificate = self.desk.forget(&user, hub.as_deref(), progress).await?;
                match format {
                    Format::Json => Ok(Reply::Text(format!("{}\n", serde_json::to_string(&certificate)?))),
                    _ => certificate.told().map(Reply::Text),
                }
            }
            Request::Rebuild { only } => self.rebuild(only, progress).await,
            Request::Verify { format } => self.verify(format, progress).await,
            Request::Backup { to } => self.backup(&to).await,
            Request::InspectTable { table } => cli::table_told(&self.pipeline.store, table).map(Reply::Text),
            Request::Schemas => Ok(Reply::Text(registry::listed(&self.pipeline.admission.registry()))),
        }
    }

    async fn rebuild(&self, only: Option<DerivedPart>, progress: &(dyn Fn(Progress) + Send + Sync)) -> Result<Reply> {
        let mut told = String::new();
        if matches!(only, None | Some(DerivedPart::Sessions)) {
            let sessions = self.rollups.rebuild_sessions().await?;
            told.push_str(&format!("sessions: {sessions} of them, made anew\n"));
        }
        if matches!(only, None | Some(DerivedPart::Rollups)) {
            self.rollups.rebuild(progress).await?;
            let figures = self.engine.rollup_figures();
            told.push_str(&format!("rollups: {} facts of days, made anew\n", figures.rows));
        }
        Ok(Reply::Text(told))
    }

    async fn kpi(&self, id: &str, parameters: BTreeMap<String, String>, format: Format) -> Result<Reply> {
        let kpi = self.catalogue.find(id)?;
        self.rollups.read().await?;
        let answer = self.engine.kpi(kpi, &Params::from_iter(parameters), &Scope::All).await?;
        match format {
            Format::Json => Ok(Reply::Text(format!("{}\n", answer.json(kpi)))),
            _ => written(&answer.answer, format),
        }
    }

    fn create_token(&self, hub: Option<&str>, may: &str) -> Result<Reply> {
        let may = tokens::verb(may).ok_or_else(|| anyhow!("'{may}' is nothing that a token may"))?;
        self.tokens.create(hub, may).map(|secret| Reply::Text(format!("{secret}\n")))
    }

    async fn verify(&self, format: Format, progress: &(dyn Fn(Progress) + Send + Sync)) -> Result<Reply> {
        // Steps are told from a blocking thread, which the asker's progress does not reach; they are handed over.
        let (told, mut steps) = mpsc::channel(STEPS_WAITING_MAX);
        let steps_of = verification::steps(move |step| {
            // A step for which there is no room is superseded by the next.
            let _ = told.try_send(step);
        });
        let work = self.pipeline.verify(format, steps_of);
        tokio::pin!(work);
        loop {
            tokio::select! {
                reply = &mut work => return reply,
                Some(step) = steps.recv() => progress(step),
            }
        }
    }

    async fn backup(&self, to: &Path) -> Result<Reply> {
        let done = crate::backup::make(&self.pipeline, &self.root, to).await?;
        Ok(Reply::Text(format!(
            "{} rows in {} files, {} bytes ({} files linked, {} copied), in {}\n",
            done.rows,
            done.files_linked + done.files_copied,
            done.bytes,
            done.files_linked,
            done.files_copied,
            to.display()
        )))
    }

    async fn publish(&self, to: &Path) -> Result<Reply> {
        let published = self.publisher.publish(to).await?;
        Ok(Reply::Text(format!(
            "{} days written, {} unchanged, in {}\n",
            published.days_written,
            published.days_unchanged,
            to.display()
        )))
    }

    /// Imports units in order; days are committed together up to [`IMPORT_BYTES_A_COMMIT`].
    async fn import(&self, units: Vec<Unit>, progress: &(dyn Fn(Progress) + Send + Sync)) -> Result<Reply> {
        let total = units.len() as u64;
        let mut pending: Vec<(CollectorId, ImportUnit)> = Vec::new();
        let mut pending_bytes = 0;
        let mut imported = Imported::default();
        let mut ledgers: BTreeMap<CollectorId, BTreeMap<Day, i64>> = BTreeMap::new();
        let mut importing = self.pipeline.begin_import().await;
        for (index, unit) in units.into_iter().enumerate() {
            let what = format!("{} {}", unit.source, unit.day);
            let collector = CollectorId::of_import(&unit.source);
            let store = &self.pipeline.store;
            let ledger = ledgers.entry(collector.clone()).or_insert_with(|| store.import_ledger(&collector));
            let known = ledger.get(&unit.day).copied();
            let (pipeline, forgotten) = (Arc::clone(&self.pipeline), Arc::clone(&importing.forgotten));
            let read = move || read_unless_known(&unit, known, &pipeline, forgotten.as_ref().as_ref());
            let read = tokio::task::spawn_blocking(read).await?;
            match read.with_context(|| what.clone())? {
                None => imported.unchanged += 1,
                Some(unit) => {
                    pending_bytes += unit.text_bytes();
                    pending.push((collector, unit));
                }
            }
            if pending_bytes >= IMPORT_BYTES_A_COMMIT {
                imported += self.commit_import(std::mem::take(&mut pending)).await?;
                pending_bytes = 0;
            }
            if pending.is_empty() {
                // Whoever waits to be forgotten comes between, also where day after day is known already.
                drop(importing);
                importing = self.pipeline.begin_import().await;
            }
            progress(Progress { done: index as u64 + 1, total, what });
        }
        imported += self.commit_import(pending).await?;
        Ok(Reply::Text(told(&imported)))
    }

    /// Imports logs of a hub, all their days in one commit: only what they say of servers is kept, which is little.
    async fn import_hub_log(&self, files: Vec<PathBuf>, hub: &str, zone: &str) -> Result<Reply> {
        let zone = TimeZone::get(zone).with_context(|| format!("there is no time zone '{zone}'"))?;
        let logs = HubLogs { files, hub: hub.into(), zone };
        let source = logs.source();
        let admission = Arc::clone(&self.pipeline.admission);
        let days = tokio::task::spawn_blocking(move || logs.read(&admission, SystemClock.now())).await??;
        self.import_days(&source, days).await
    }

    /// Imports what a hub's database says of the present, as the day of the latest time in it.
    async fn import_hub_db(&self, file: PathBuf, hub: &str) -> Result<Reply> {
        let hub: Arc<str> = hub.into();
        let source = format!("hub-db/{hub}");
        let admission = Arc::clone(&self.pipeline.admission);
        let read = move || -> Result<ImportedDay> {
            let (servers, users) = poll::read_database(&file)?;
            let texts = poll::texts_of_database(&servers, &users);
            let day = servers.at.after.day();
            Ok(ImportedDay::of_texts(day, texts, &hub, Door::HubDb, &admission, SystemClock.now()))
        };
        let day = tokio::task::spawn_blocking(read).await??;
        self.import_days(&source, vec![day]).await
    }

    /// Commits those of `days` that the table does not hold just so.
    async fn import_days(&self, source: &str, days: Vec<ImportedDay>) -> Result<Reply> {
        let collector = CollectorId::of_import(source);
        let ledger = self.pipeline.store.import_ledger(&collector);
        // Nobody who asks to be forgotten comes between what is struck and what is committed.
        let importing = self.pipeline.begin_import().await;
        let forgotten = importing.forgotten.as_ref().as_ref();
        let columns = |batch| tokio::task::block_in_place(|| self.pipeline.imported(batch, forgotten));
        let mut imported = Imported::default();
        let mut pending = Vec::with_capacity(days.len());
        for day in days {
            if ledger.get(&day.day) == Some(&store::unit_version(&day.sha256)) {
                imported.unchanged += 1;
            } else {
                let pieces = day.pieces.into_iter().map(columns).collect();
                pending.push((collector.clone(), ImportUnit { day: day.day, sha256: day.sha256, pieces }));
            }
        }
        imported += self.commit_import(pending).await?;
        Ok(Reply::Text(told(&imported)))
    }

    async fn commit_import(&self, pending: Vec<(CollectorId, ImportUnit)>) -> Result<Imported> {
        let mut by_collector: BTreeMap<CollectorId, Vec<ImportUnit>> = BTreeMap::new();
        for (collector, unit) in pending {
            by_collector.entry(collector).or_default().push(unit);
        }
        let mut imported = Imported::default();
        for (collector, units) in by_collector {
            imported += self.pipeline.store.import(&collector, units).await?;
        }
        Ok(imported)
    }
}

/// What an import did, in a sentence.
fn told(imported: &Imported) -> String {
    format!(
        "{} days added, {} changed, {} unchanged; {} events admitted, {} in quarantine\n",
        imported.added, imported.replaced, imported.unchanged, imported.rows, imported.quarantined
    )
}

fn hubs(config: &Config) -> Result<Hubs> {
    let zones = config.hub.iter().map(|hub| (hub.name.as_str(), hub.zone.name()));
    Ok(zones.into_iter().try_fold(Hubs::new(), |hubs, (name, zone)| hubs.with(name, zone))?)
}

/// Reads a unit, unless the table holds just these bytes (`known` is the ledger's word for the day).
fn read_unless_known(
    unit: &Unit,
    known: Option<i64>,
    pipeline: &Pipeline,
    forgotten: Option<&Erasures>,
) -> Result<Option<ImportUnit>> {
    if let Some(known) = known
        && store::unit_version(&unit.sha256()?) == known
    {
        return Ok(None);
    }
    let read = unit.read(&pipeline.admission, SystemClock.now(), |batch| pipeline.imported(batch, forgotten))?;
    Ok(Some(ImportUnit { day: read.day, sha256: read.sha256, pieces: read.pieces }))
}

fn written(answer: &Answer, format: Format) -> Result<Reply> {
    let reply = match format {
        // These two say themselves what was left out.
        Format::Table => return Ok(Reply::Text(answer.table())),
        Format::Markdown => return Ok(Reply::Text(answer.markdown())),
        Format::Json => Reply::Text(format!("{}\n", answer.json())),
        Format::Csv => Reply::Text(answer.csv()),
        Format::Parquet => Reply::Bytes(answer.parquet().map_err(|error| anyhow!(error))?),
    };
    Ok(match answer.cut() {
        Some(told) => Reply::Part { reply: Box::new(reply), told },
        None => reply,
    })
}
