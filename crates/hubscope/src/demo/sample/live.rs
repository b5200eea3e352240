//! Launches that arrive now, as `BinderHub` sends them today. They are simulated throughout.

use event::{EventTime, pyjson};

use super::random::{Random, Weighted};

const SEED: u64 = 0x6c69_7665;

/// The members of the federation, and how often each serves.
const ORIGINS: [(&str, u32); 3] =
    [("2i2c.mybinder.org", 60), ("notebooks.gesis.org", 25), ("2i2c-bare.mybinder.org", 15)];

/// Repositories that invite everyone to launch them.
const REPOSITORIES: [(&str, u32); 10] = [
    ("ipython/ipython-in-depth/HEAD", 30),
    ("jupyterlab/jupyterlab-demo/HEAD", 18),
    ("binder-examples/conda_environment/HEAD", 10),
    ("binder-examples/requirements/HEAD", 10),
    ("binder-examples/r/HEAD", 8),
    ("voila-dashboards/voila/HEAD", 7),
    ("jupyter-xeus/xeus-cling/HEAD", 6),
    ("bokeh/tutorial/HEAD", 5),
    ("fonsp/pluto-on-binder/HEAD", 4),
    ("sagemath/sage-binder-env/HEAD", 2),
];

/// The `number`-th simulated launch, at `now`: one JSON object.
pub(crate) fn live_launch(number: u64, now: EventTime) -> Vec<u8> {
    let mut random = Random::new(SEED, number);
    let mut draw = |choice: &[(&'static str, u32)]| {
        Weighted::new(choice.iter().copied()).draw(&mut random).copied().unwrap_or_default()
    };
    let (spec, origin) = (draw(&REPOSITORIES), draw(&ORIGINS));
    let reference: String = (0..5).map(|_| format!("{:08x}", random.next() & 0xffff_ffff)).collect();
    let mut text = String::with_capacity(400);
    text.push_str("{\"timestamp\": ");
    pyjson::write_str(&mut text, &now.to_string());
    text.push_str(
        ", \"schema\": \"binderhub.jupyter.org/launch\", \"version\": 6, \"provider\": \"GitHub\", \"spec\": ",
    );
    pyjson::write_str(&mut text, spec);
    text.push_str(", \"ref\": ");
    pyjson::write_str(&mut text, &reference);
    text.push_str(", \"status\": \"success\", \"build_token\": ");
    text.push_str(if random.chance(70) { "true" } else { "false" });
    text.push_str(", \"origin\": ");
    pyjson::write_str(&mut text, origin);
    text.push_str(", \"request_origin\": \"\"}");
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launches_differ_and_carry_the_time() {
        let now = EventTime::from_micros(1_795_000_000_000_000);
        let launches: Vec<serde_json::Value> =
            (0..50).map(|number| serde_json::from_slice(&live_launch(number, now)).unwrap()).collect();
        assert!(launches.iter().all(|launch| launch["timestamp"] == now.to_string() && launch["version"] == 6));
        let first = &launches[0];
        assert!(launches.iter().any(|launch| launch["spec"] != first["spec"]));
        assert!(launches[1..].iter().all(|launch| launch["ref"] != first["ref"]));
        assert_eq!(live_launch(7, now), live_launch(7, now));
    }
}
