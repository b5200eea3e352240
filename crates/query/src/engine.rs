//! Runs questions: each over one snapshot, on threads of its own, within its limits.
//!
//! Queries have a runtime to themselves, so that a hostile one takes nothing from ingest but its share of the cores. A
//! query that is over time, or whose asker is gone, is cancelled; operators give way between batches, and functions
//! that could run for long look at the clock themselves. Its place is free again only when it has really ended.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::execute_stream;
use datafusion::scalar::ScalarValue;
use derive::{Rows as SessionRows, Sessions};
use event::{Clock, SystemClock};
use futures::StreamExt;
use store::{Snapshot, Store};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::timeout_at;

use crate::answer::{Answer, Gathered};
use crate::coverage::CoverageCache;
use crate::error::QueryError;
use crate::functions::Budget;
use crate::guard::{self, Beside};
use crate::hubs::Hubs;
use crate::limits::Limits;
use crate::rollup::{Facts, Rollups};
use crate::scope::Scope;
use crate::session::{Base, Tables, budget};
use crate::views::{self, TableInfo};

/// Stack of a thread: deep statements are walked and dropped recursively (see `guard::TOKENS_MAX`). Only what is used
/// takes memory.
const STACK_BYTES: usize = 64 << 20;

/// Threads for reading files, beside those that compute.
const READING_THREADS: usize = 8;

/// Whoever asks for sessions while all of them are made anew waits so long.
const SESSIONS_WAIT: Duration = Duration::from_secs(10);

/// How often it looks meanwhile.
const SESSIONS_LOOK: Duration = Duration::from_millis(50);

/// Answers SQL and KPIs over the snapshots of a store.
pub struct Engine {
    shared: Arc<Shared>,
    hubs: Arc<Hubs>,
    runtime: Option<Runtime>,
    handle: Handle,
}

/// What a running query needs; it outlives the engine until the query ends.
pub(crate) struct Shared {
    store: Arc<Store>,
    base: Base,
    limits: Limits,
    clock: Arc<dyn Clock>,
    coverage: Arc<CoverageCache>,
    pub(crate) rollups: Rollups,
    sessions: Mutex<Arc<Sessions>>,
    places: Arc<Semaphore>,
}

/// Wishes of the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SqlOptions {
    /// Rows at most; [`Limits::rows_default`] when `None`, and never more than [`Limits::rows_max`].
    pub limit: Option<usize>,
    /// Whose rows may be seen.
    pub scope: Scope,
}

/// A statement with its values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Question {
    pub(crate) sql: String,
    pub(crate) values: Vec<(String, ScalarValue)>,
    pub(crate) rows_max: usize,
    pub(crate) scope: Scope,
    /// What tables of facts are made of; without, there are none.
    pub(crate) facts: Option<Facts>,
    /// Rows that it may read as [`guard::ROWS`].
    pub(crate) rows: Option<Answer>,
}

/// The engine could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the query engine could not be started: {0}")]
pub struct EngineError(String);

impl Engine {
    /// An engine over `store`.
    ///
    /// # Errors
    /// When its threads cannot be started.
    pub fn new(store: Arc<Store>, limits: Limits) -> Result<Self, EngineError> {
        Self::with_clock(store, limits, Arc::new(SystemClock))
    }

    /// The same with a clock, which tells KPIs what is unfinished.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn with_clock(store: Arc<Store>, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, EngineError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(limits.threads_resolved())
            .max_blocking_threads(READING_THREADS)
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|error| EngineError(error.to_string()))?;
        let base = Base::new(&store, &limits).map_err(|error| EngineError(error.strip_backtrace()))?;
        let places = Arc::new(Semaphore::new(limits.queries_max));
        let handle = runtime.handle().clone();
        let sessions = Mutex::new(Arc::new(Sessions::new(&store, BTreeMap::new())));
        let shared = Arc::new(Shared {
            store,
            base,
            limits,
            clock,
            coverage: Arc::default(),
            rollups: Rollups::default(),
            sessions,
            places,
        });
        Ok(Self { shared, hubs: Arc::default(), runtime: Some(runtime), handle })
    }

    /// The same engine with zones of hubs; without, all hubs live in UTC.
    #[must_use]
    pub fn with_hubs(mut self, hubs: Hubs) -> Self {
        self.hubs = Arc::new(hubs);
        self
    }

    /// The same engine with sessions that know how hubs are set; without, no hub has a culler.
    #[must_use]
    pub fn with_sessions(self, sessions: Arc<Sessions>) -> Self {
        *self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner) = sessions;
        self
    }

    /// Answers one statement over the newest snapshot.
    ///
    /// Cancel safe: dropping the future stops the query.
    ///
    /// # Errors
    /// [`QueryError`]: not a question, not SQL, unknown names, over a limit, unreadable data.
    pub async fn sql(&self, sql: &str, options: SqlOptions) -> Result<Answer, QueryError> {
        let rows_max = self.shared.limits.rows(options.limit);
        let question = Question { sql: sql.to_owned(), rows_max, scope: options.scope, ..Question::default() };
        let snapshot = self.shared.store.snapshot();
        self.ask(question, snapshot, self.deadline()).await
    }

    /// The tables and views, with their columns: the data dictionary.
    ///
    /// # Errors
    /// When the engine's own views cannot be planned.
    pub async fn tables(&self) -> Result<Vec<TableInfo>, QueryError> {
        let snapshot = self.shared.store.snapshot();
        let deadline = self.deadline();
        let shared = Arc::clone(&self.shared);
        self.run(deadline, async move { shared.describe(&snapshot, deadline).await }).await
    }

    /// Queries that run or have not yet ended.
    pub fn running(&self) -> usize {
        self.shared.limits.queries_max - self.shared.places.available_permits()
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// The hubs that are listed, and their zones.
    pub fn hubs(&self) -> &Hubs {
        &self.hubs
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.store.snapshot()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.shared.clock.as_ref()
    }

    pub(crate) fn coverage(&self) -> &Arc<CoverageCache> {
        &self.shared.coverage
    }

    pub(crate) fn rollups(&self) -> &Rollups {
        &self.shared.rollups
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.shared.store
    }

    /// When a query that starts now must be over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.shared.limits.time_max
    }

    /// Answers `question` over `snapshot`.
    pub(crate) async fn ask(
        &self,
        question: Question,
        snapshot: Arc<Snapshot>,
        deadline: Instant,
    ) -> Result<Answer, QueryError> {
        let shared = Arc::clone(&self.shared);
        self.run(deadline, async move { shared.answer(question, &snapshot, deadline).await }).await
    }

    /// Runs `work` on the engine's threads, in one of its places, until `deadline`.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl Future<Output = Result<T, QueryError>> + Send + 'static,
    ) -> Result<T, QueryError> {
        let limit = self.shared.limits.time_max;
        let place = self.place(deadline).await?;
        let task = self.handle.spawn(async move {
            let done = work.await;
            drop(place);
            done
        });
        let _stop = StopOnDrop(task.abort_handle());
        match timeout_at(deadline.into(), task).await {
            Ok(Ok(done)) => done,
            Ok(Err(fault)) => Err(QueryError::Data(format!("the engine had a fault: {fault}"))),
            Err(_) => Err(QueryError::TimedOut { limit }),
        }
    }

    async fn place(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, QueryError> {
        let limit = self.shared.limits.time_max;
        let places = Arc::clone(&self.shared.places);
        match timeout_at(deadline.into(), places.acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(QueryError::Busy { limit }),
        }
    }
}

impl Shared {
    async fn answer(&self, question: Question, snapshot: &Snapshot, deadline: Instant) -> Result<Answer, QueryError> {
        let rows_max = question.rows_max;
        let (state, plan) = self.planned(question, snapshot, deadline).await?;
        let gathered = self.gather(&state, &plan, rows_max).await?;
        Ok(Answer::new(gathered, snapshot.data_version().to_string()))
    }

    pub(crate) fn memory_bytes_max(&self) -> usize {
        self.limits.memory_bytes_max
    }

    /// The plan of `question` over `snapshot`, and the session to run it in.
    pub(crate) async fn planned(
        &self,
        question: Question,
        snapshot: &Snapshot,
        deadline: Instant,
    ) -> Result<(SessionState, LogicalPlan), QueryError> {
        let memory = self.limits.memory_bytes_max;
        let statement = guard::parse(&question.sql, &self.limits)?;
        let beside = Beside { facts: question.facts.is_some(), rows: question.rows.is_some() };
        let named = guard::named(self.base.state(), &statement, beside)?;
        let sessions = match named.relations.iter().any(|relation| matches!(relation.rows, views::Rows::Sessions)) {
            true => self.sessions(snapshot).await?,
            false => SessionRows::default(),
        };
        let rows = question.rows.filter(|_| named.has_rows);
        let tables = Tables { relations: named.relations, sessions, facts: named.facts, of: question.facts, rows };
        let state = self
            .base
            .open(snapshot, &tables, &question.scope, budget(&self.limits, deadline, 1))
            .await
            .map_err(|error| QueryError::planning(error, memory))?;
        let plan = state.statement_to_plan(statement).await.map_err(|error| QueryError::planning(error, memory))?;
        guard::check_plan(&plan)?;
        let plan = plan.with_param_values(question.values).map_err(|error| QueryError::planning(error, memory))?;
        let state = with_budget(state, budget(&self.limits, deadline, guard::calls(&plan)));
        let plan = limited(plan, question.rows_max).map_err(|error| QueryError::planning(error, memory))?;
        Ok((state, plan))
    }

    /// The sessions of `snapshot`, brought up to date on a thread that may block.
    async fn sessions(&self, snapshot: &Snapshot) -> Result<SessionRows, QueryError> {
        let sessions = Arc::clone(&self.sessions.lock().unwrap_or_else(PoisonError::into_inner));
        let (snapshot, now) = (Arc::new(snapshot.clone()), self.clock.now());
        let waits_until = Instant::now() + SESSIONS_WAIT;
        // Not on a thread that may block: there are few, and all questions read on them.
        while let Some((done, total)) = sessions.status().making {
            if waits_until <= Instant::now() {
                return Err(QueryError::Making { done, total });
            }
            tokio::time::sleep(SESSIONS_LOOK).await;
        }
        let told = tokio::task::spawn_blocking(move || sessions.at(&snapshot, now)).await;
        let told = told.map_err(|fault| QueryError::Data(format!("sessions could not be derived: {fault}")))?;
        told.map_err(|error| QueryError::Data(error.to_string()))
    }

    /// Runs `plan` and keeps as many rows as may be.
    async fn gather(&self, state: &SessionState, plan: &LogicalPlan, rows_max: usize) -> Result<Gathered, QueryError> {
        let memory = self.limits.memory_bytes_max;
        let running = |error| QueryError::running(error, memory);
        let physical = state.create_physical_plan(plan).await.map_err(|error| QueryError::planning(error, memory))?;
        let mut stream = execute_stream(physical, state.task_ctx()).map_err(running)?;
        let mut gathered = Gathered::new(stream.schema(), rows_max, self.limits.answer_bytes_max);
        while let Some(batch) = stream.next().await {
            let batch: RecordBatch = batch.map_err(running)?;
            if !gathered.take(batch).map_err(running)? {
                break;
            }
        }
        Ok(gathered)
    }

    async fn describe(&self, snapshot: &Snapshot, deadline: Instant) -> Result<Vec<TableInfo>, QueryError> {
        let memory = self.limits.memory_bytes_max;
        let planning = |error| QueryError::planning(error, memory);
        let budget = budget(&self.limits, deadline, 1);
        let all = Tables { relations: views::RELATIONS.to_vec(), ..Tables::default() };
        let state = self.base.open(snapshot, &all, &Scope::All, budget).await.map_err(planning)?;
        let mut tables = Vec::with_capacity(views::RELATIONS.len());
        for relation in &views::RELATIONS {
            let sql = format!("SELECT * FROM {}", relation.name);
            let plan = state.create_logical_plan(&sql).await.map_err(planning)?;
            tables.push(views::describe(relation, plan.schema().as_arrow()));
        }
        Ok(tables)
    }
}

/// The session with its final shares, ready to run: functions see the configuration of the moment when it is marked as
/// started, and no later one.
fn with_budget(state: SessionState, budget: Budget) -> SessionState {
    let config = state.config().clone().with_option_extension(budget);
    let mut state = SessionStateBuilder::new_from_existing(state).with_config(config).build();
    state.mark_start_execution();
    state
}

/// One row more than wanted, to know whether there are more. An explanation stays whole.
fn limited(plan: LogicalPlan, rows_max: usize) -> datafusion::error::Result<LogicalPlan> {
    match plan {
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => Ok(plan),
        plan => LogicalPlanBuilder::from(plan).limit(0, Some(rows_max.saturating_add(1)))?.build(),
    }
}

/// Cancels a task when the one that waits for it is gone.
struct StopOnDrop(AbortHandle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A runtime must not wait inside another one; what still runs is cancelled and ends by itself.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("limits", &self.shared.limits)
            .field("running", &self.running())
            .finish_non_exhaustive()
    }
}
