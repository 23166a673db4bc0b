//! Names that stand for the addresses of nodes, looked up when the node starts.

use std::net::ToSocketAddrs;
use std::thread;
use std::time::Duration;

use bloom_net::event::Finder;
use bloom_net::{Event, PeerAddr};

use crate::handle::Handle;

/// A name may stand for many; more than this of one are left out.
const MOST_ADDRESSES: usize = 64;
/// What could not be looked up is looked up again after this long: the network may not have been up yet.
const AGAIN: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(200);

/// Of these seeds, what may be looked up: behind a proxy the addresses alone, for a look-up would not go through it.
pub(crate) fn allowed(seeds: Vec<String>, is_proxied: bool) -> Vec<String> {
    let is_allowed = |seed: &String| {
        let is_address = seed.parse::<std::net::IpAddr>().is_ok() || seed.parse::<PeerAddr>().is_ok();
        if is_proxied && !is_address {
            tracing::warn!("seed {seed}: not looked up, for that would not go through the proxy; give an address");
        }
        !is_proxied || is_address
    };
    seeds.into_iter().filter(is_allowed).collect()
}

/// Looks names up beside everything else, and tells the engine what it finds. The thread ends with the node, or when every
/// name was found.
pub(crate) fn look_up(mut seeds: Vec<String>, default_port: u16, handle: Handle) -> std::io::Result<()> {
    if seeds.is_empty() {
        return Ok(());
    }
    let look = move || {
        while !seeds.is_empty() && !handle.is_stopped() {
            seeds.retain(|seed| !is_found(seed, default_port, &handle));
            let mut waited = Duration::ZERO;
            while !seeds.is_empty() && waited < AGAIN && !handle.is_stopped() {
                thread::sleep(TICK);
                waited += TICK;
            }
        }
    };
    thread::Builder::new().name("seeds".to_owned()).spawn(look).map(|_| ())
}

fn is_found(seed: &str, default_port: u16, handle: &Handle) -> bool {
    let addresses = match resolve(seed, default_port) {
        Ok(addresses) => addresses,
        Err(error) => {
            tracing::warn!("seed {seed}: {error}; trying again in {} s", AGAIN.as_secs());
            return false;
        }
    };
    tracing::info!("seed {seed}: {} addresses", addresses.len());
    let found = Event::Found { addresses, finder: Finder::Seed };
    let told = handle.ask(move |engine, now| ((), engine.handle(found, now)));
    told.is_ok()
}

/// The addresses of `HOST`, `HOST:PORT` or an address.
fn resolve(seed: &str, default_port: u16) -> std::io::Result<Vec<PeerAddr>> {
    let addresses = match seed.parse::<std::net::IpAddr>() {
        Ok(ip) => vec![PeerAddr::new(ip, default_port)],
        Err(_) if seed.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => {
            seed.to_socket_addrs()?.map(PeerAddr::from).take(MOST_ADDRESSES).collect()
        }
        Err(_) => (seed, default_port).to_socket_addrs()?.map(PeerAddr::from).take(MOST_ADDRESSES).collect(),
    };
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_may_bring_its_port() {
        for (seed, expected) in
            [("127.0.0.1", "127.0.0.1:7"), ("127.0.0.1:8", "127.0.0.1:8"), ("::1", "[::1]:7"), ("[::1]:8", "[::1]:8")]
        {
            assert_eq!(resolve(seed, 7).unwrap(), [expected.parse().unwrap()], "{seed}");
        }
        let seeds = ["seed.example.org", "203.0.113.7", "[2001:db8::1]:8"].map(str::to_owned).to_vec();
        assert_eq!(allowed(seeds.clone(), true), seeds[1..], "a name would be looked up beside the proxy");
        assert_eq!(allowed(seeds.clone(), false), seeds);
        assert!(resolve("localhost:8", 7).unwrap().iter().all(|address| address.port() == 8));
    }
}
