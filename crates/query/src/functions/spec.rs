//! `spec_repo(provider, spec)`, `spec_ref(provider, spec)`, `repo_key(repo)`: what a launch was of.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, StringBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use insight::spec::{Repo, parse, repo_key};

use super::budget::Budget;
use super::text::views;

/// One part of what a spec says, NULL for a spec that cannot be read.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct SpecPart {
    name: &'static str,
    part: Part,
    signature: Signature,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Repo,
    Reference,
}

impl Part {
    fn of(self, repo: Repo) -> Option<String> {
        match self {
            Self::Repo => Some(repo.repo),
            Self::Reference => repo.reference,
        }
    }
}

impl SpecPart {
    /// `spec_repo`.
    pub(crate) fn repo() -> Self {
        Self::new("spec_repo", Part::Repo)
    }

    /// `spec_ref`.
    pub(crate) fn reference() -> Self {
        Self::new("spec_ref", Part::Reference)
    }

    fn new(name: &'static str, part: Part) -> Self {
        Self { name, part, signature: Signature::uniform(2, vec![DataType::Utf8View], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for SpecPart {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(budget) = Budget::of(&args.config_options) {
            budget.check_time()?;
        }
        let [provider, spec] = super::take_two(&args.args)?;
        let (providers, specs) = (views(provider, args.number_rows)?, views(spec, args.number_rows)?);
        let mut found = StringBuilder::new();
        // Few specs make most launches, so each is read once a batch.
        let mut known: HashMap<(&str, &str), Option<String>> = HashMap::new();
        for pair in providers.iter().zip(specs.iter()) {
            match pair {
                (Some(provider), Some(spec)) => found.append_option(
                    known
                        .entry((provider, spec))
                        .or_insert_with(|| parse(provider, spec).and_then(|repo| self.part.of(repo)))
                        .as_deref(),
                ),
                _ => found.append_null(),
            }
        }
        let found: Arc<dyn Array> = Arc::new(found.finish());
        Ok(ColumnarValue::Array(found))
    }
}

/// The name under which launches of one repository are counted.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct RepoKey {
    signature: Signature,
}

impl RepoKey {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::uniform(1, vec![DataType::Utf8View], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for RepoKey {
    fn name(&self) -> &'static str {
        "repo_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [repo] = super::take_one(&args.args)?;
        let repos = views(repo, args.number_rows)?;
        let mut found = StringBuilder::new();
        let mut known: HashMap<&str, String> = HashMap::new();
        for repo in &repos {
            match repo {
                Some(repo) => found.append_value(known.entry(repo).or_insert_with(|| repo_key(repo))),
                None => found.append_null(),
            }
        }
        let found: Arc<dyn Array> = Arc::new(found.finish());
        Ok(ColumnarValue::Array(found))
    }
}
