//! Tokens: who else than this machine may send and read.
//!
//! A token is 256 random bits behind the prefix `hs_`, by which scanners for leaked secrets know it. It is shown once,
//! when it is made; what is kept is its SHA-256, in one file each: `DATA/state/token/<id>.json`. A plain hash is
//! enough, because nobody guesses 256 bits; what looks a token up by its hash tells nothing of it by its time either.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use event::{Clock, EventTime};
use serde::{Deserialize, Serialize};
use server::{Access, Grant, Verb};
use sha2::{Digest, Sha256};

use crate::folder::{files_in, tokens_in};
use crate::hex::{hex, unhex};

/// What a secret begins with.
const PREFIX: &str = "hs_";
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;
/// Random bytes of an id, which only has to differ from a few others.
const ID_BYTES: usize = 4;
/// Letters of a hub's name: it stands in every row and in every list.
const HUB_LETTERS_MAX: usize = 64;
/// Tokens at once: one for each sender and reader, not one for each user.
const TOKENS_MAX: usize = 10_000;

type Hash = [u8; 32];

/// A token as its file has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hub: Option<String>,
    may: String,
    created: String,
    sha256: String,
}

/// Version of the file's form.
const VERSION: u32 = 1;

#[derive(Debug)]
struct Token {
    grant: Grant,
    created: String,
    /// Microseconds; below 0 when not since the start.
    used: AtomicI64,
}

/// All tokens of a folder.
#[derive(Debug)]
pub(crate) struct Tokens {
    folder: PathBuf,
    known: RwLock<HashMap<Hash, Token>>,
    clock: Arc<dyn Clock>,
}

impl Tokens {
    /// Reads the tokens of the folder of data `root`.
    ///
    /// # Errors
    /// A file that cannot be read or understood; with its path. Half of the tokens would be worse than none.
    pub(crate) fn open(root: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let folder = tokens_in(root);
        let mut known = HashMap::new();
        for path in files_in(&folder, "json")? {
            let (hash, token) = read(&path).with_context(|| format!("in {}", path.display()))?;
            known.insert(hash, token);
        }
        Ok(Self { folder, known: RwLock::new(known), clock })
    }

    /// Makes a token and returns its secret, which is kept nowhere.
    ///
    /// # Errors
    /// A hub that is missing or has an impossible name, too many tokens, a disk that cannot be written.
    pub(crate) fn create(&self, hub: Option<&str>, may: Verb) -> Result<String> {
        match hub {
            None if may == Verb::Ingest => {
                bail!("a token that may ingest belongs to a hub, under whose name its events are kept: add --hub NAME")
            }
            Some(hub) => check_hub(hub)?,
            None => {}
        }
        if self.known().len() >= TOKENS_MAX {
            bail!("there are {TOKENS_MAX} tokens, which is the most; revoke one");
        }
        let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random::<SECRET_BYTES>()?));
        let id = hex(&random::<ID_BYTES>()?);
        let created = self.clock.now().to_string();
        let kept = Kept {
            version: VERSION,
            id: id.clone(),
            hub: hub.map(str::to_owned),
            may: may.name().to_owned(),
            created,
            sha256: hex(&hash(&secret)),
        };
        std::fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let path = self.path(&id);
        store::durable_write(&path, &serde_json::to_vec_pretty(&kept)?).context("cannot keep the token")?;
        let (hash, token) = understood(kept)?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(hash, token);
        Ok(secret)
    }

    /// Makes the token `id` worth nothing, at once and for ever.
    ///
    /// # Errors
    /// There is none of that id, or its file cannot be removed.
    pub(crate) fn revoke(&self, id: &str) -> Result<()> {
        let found = self.known().iter().find(|(_, token)| &*token.grant.token == id).map(|(hash, _)| *hash);
        let hash = found.ok_or_else(|| anyhow!("there is no token '{id}'; 'hubscope token list' lists them"))?;
        let path = self.path(id);
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        // Only then does it stay removed through a crash.
        File::open(&self.folder).and_then(|folder| folder.sync_all()).context("cannot sync the folder of tokens")?;
        // Not locked before: no request is to wait for the disk.
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(&hash);
        Ok(())
    }

    /// The table that `token list` prints.
    pub(crate) fn listed(&self) -> String {
        let known = self.known();
        let mut tokens: Vec<&Token> = known.values().collect();
        tokens.sort_by(|a, b| (&a.created, &a.grant.token).cmp(&(&b.created, &b.grant.token)));
        let hub = |token: &Token| token.grant.hub.as_deref().unwrap_or("(all)").to_owned();
        let width = tokens.iter().map(|token| hub(token).chars().count()).max().unwrap_or(0).max(5);
        let mut text = format!("{:8}  {:width$}  {:6}  {:27}  used since start\n", "id", "hub", "may", "created");
        for token in &tokens {
            let used = token.used.load(Ordering::Relaxed);
            let used = if used < 0 { "no".to_owned() } else { EventTime::from_micros(used).to_string() };
            let (id, may) = (&token.grant.token, token.grant.may.name());
            let _ = writeln!(text, "{id:8}  {:width$}  {may:6}  {:27}  {used}", hub(token), token.created);
        }
        text
    }

    fn known(&self) -> RwLockReadGuard<'_, HashMap<Hash, Token>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }
}

impl Access for Tokens {
    fn grant(&self, secret: &str) -> Option<Grant> {
        let known = self.known();
        let token = known.get(&hash(secret))?;
        token.used.store(self.clock.now().micros(), Ordering::Relaxed);
        Some(token.grant.clone())
    }

    fn has_tokens(&self) -> bool {
        !self.known().is_empty()
    }

    fn has_reading_tokens(&self) -> bool {
        self.known().values().any(|token| token.grant.may.allows(Verb::Query))
    }
}

/// Whether a hub can have that name.
pub(crate) fn check_hub(name: &str) -> Result<()> {
    if name.is_empty() || name.trim() != name || name.chars().any(char::is_control) {
        bail!("'{}' cannot be the name of a hub: write a word without spaces around it", name.escape_debug());
    }
    if name.chars().count() > HUB_LETTERS_MAX {
        bail!("the name of a hub has at most {HUB_LETTERS_MAX} letters");
    }
    Ok(())
}

fn read(path: &Path) -> Result<(Hash, Token)> {
    understood(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn understood(kept: Kept) -> Result<(Hash, Token)> {
    if kept.version != VERSION {
        bail!("the token has version {}; this program reads {VERSION}", kept.version);
    }
    let may = verb(&kept.may).ok_or_else(|| anyhow!("'{}' is nothing that a token may", kept.may))?;
    let hash = unhex(&kept.sha256).ok_or_else(|| anyhow!("sha256 is not 64 hexadecimal digits"))?;
    let grant = Grant { token: kept.id.into(), hub: kept.hub.map(Into::into), may };
    Ok((hash, Token { grant, created: kept.created, used: AtomicI64::new(-1) }))
}

/// The verb called `name`.
pub(crate) fn verb(name: &str) -> Option<Verb> {
    Verb::ALL.into_iter().find(|verb| verb.name() == name)
}

fn hash(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use event::SystemClock;

    use super::*;

    fn open(root: &Path) -> Tokens {
        Tokens::open(root, Arc::new(SystemClock)).unwrap()
    }

    #[test]
    fn a_token_is_known_until_it_is_revoked_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = open(dir.path());
        assert!(!tokens.has_tokens());
        let secret = tokens.create(Some("north"), Verb::Ingest).unwrap();
        let other = tokens.create(None, Verb::Query).unwrap();
        for tokens in [tokens, open(dir.path())] {
            let grant = tokens.grant(&secret).unwrap();
            assert_eq!((grant.hub.as_deref(), grant.may), (Some("north"), Verb::Ingest));
            assert_eq!(tokens.grant(&other).unwrap().hub, None);
            assert!(tokens.has_tokens() && tokens.has_reading_tokens());
            assert_eq!(tokens.grant(&secret[..secret.len() - 1]), None);
            assert_eq!(tokens.grant(""), None);
        }
        let tokens = open(dir.path());
        let id = tokens.grant(&other).unwrap().token;
        tokens.revoke(&id).unwrap();
        for tokens in [tokens, open(dir.path())] {
            assert_eq!(tokens.grant(&other), None);
            assert!(tokens.grant(&secret).is_some() && !tokens.has_reading_tokens());
            assert!(tokens.revoke(&id).unwrap_err().to_string().contains(&*id));
        }
    }

    #[test]
    fn no_file_holds_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = open(dir.path());
        let secret = tokens.create(Some("north"), Verb::Admin).unwrap();
        let random = secret.strip_prefix(PREFIX).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(random).unwrap().len(), SECRET_BYTES);
        let paths = files_in(&tokens_in(dir.path()), "json").unwrap();
        assert_eq!(paths.len(), 1);
        assert!(!std::fs::read_to_string(&paths[0]).unwrap().contains(random));
        assert!(!tokens.listed().contains(random) && !format!("{tokens:?}").contains(random));
    }

    #[test]
    fn what_cannot_be_a_token_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = open(dir.path());
        for (hub, told) in [
            (None, "add --hub NAME"),
            (Some(""), "cannot be the name of a hub"),
            (Some(" north"), "cannot be the name of a hub"),
            (Some("a\nb"), r"'a\nb' cannot be"),
            (Some(&*"x".repeat(65)), "at most 64 letters"),
        ] {
            let error = tokens.create(hub, Verb::Ingest).unwrap_err().to_string();
            assert!(error.contains(told), "{hub:?}: {error}");
        }
        assert!(!tokens.has_tokens());
        let folder = tokens_in(dir.path());
        std::fs::create_dir_all(&folder).unwrap();
        for broken in ["{", r#"{"version":2,"id":"a","may":"query","created":"","sha256":""}"#] {
            std::fs::write(folder.join("a.json"), broken).unwrap();
            let error = format!("{:#}", Tokens::open(dir.path(), Arc::new(SystemClock)).unwrap_err());
            assert!(error.contains("a.json"), "{error}");
        }
    }
}
