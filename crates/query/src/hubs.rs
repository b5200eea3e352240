//! The hubs that the operator named, and in which zone each lives.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::zone::{UnknownZone, Zone};

/// Zone by hub. A hub that is not listed lives in UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hubs(BTreeMap<Arc<str>, Zone>);

impl Hubs {
    /// No hub is listed: all live in UTC.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with the hub `name` in the zone called `zone`.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn with(mut self, name: impl Into<Arc<str>>, zone: &str) -> Result<Self, UnknownZone> {
        self.0.insert(name.into(), Zone::named(zone)?);
        Ok(self)
    }

    /// The zone of `hub`.
    pub fn zone(&self, hub: &str) -> Zone {
        self.0.get(hub).cloned().unwrap_or_else(Zone::utc)
    }

    /// The listed hubs, in order of their names.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.keys()
    }

    /// The zone that all of `hubs` share, if they do; without any, that which all listed ones share.
    pub(crate) fn shared_zone<'a>(&'a self, hubs: impl IntoIterator<Item = &'a str>) -> Option<Zone> {
        let mut zones: Vec<Zone> = hubs.into_iter().map(|hub| self.zone(hub)).collect();
        if zones.is_empty() {
            zones = self.0.values().cloned().collect();
        }
        let first = zones.first()?;
        zones.iter().all(|zone| zone == first).then(|| first.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_shared_only_by_all() {
        let hubs = Hubs::new().with("a", "Europe/Berlin").unwrap().with("b", "europe/berlin").unwrap();
        let shared = |hubs: &Hubs, names: &[&str]| hubs.shared_zone(names.iter().copied()).map(|zone| zone.to_string());
        assert_eq!(shared(&hubs, &["a", "b"]).as_deref(), Some("Europe/Berlin"));
        assert_eq!(shared(&hubs, &[]).as_deref(), Some("Europe/Berlin"));
        assert_eq!(shared(&hubs, &["a", "unlisted"]), None);
        assert_eq!(shared(&hubs, &["unlisted"]).as_deref(), Some("UTC"));
        let hubs = hubs.with("c", "Asia/Kathmandu").unwrap();
        assert_eq!(shared(&hubs, &["a", "b"]).as_deref(), Some("Europe/Berlin"), "only those asked about");
        assert_eq!(shared(&hubs, &[]), None);
        assert_eq!(shared(&Hubs::new(), &[]), None);
        assert!(hubs.with("d", "Mars/Olympus").is_err());
    }
}
