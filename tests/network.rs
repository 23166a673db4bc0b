//! Nodes as real processes on the loopback: they find one another, agree, and keep agreeing.
#![cfg(unix)]

#[path = "network/node.rs"]
mod node;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use node::{Node, agree, mine, wait_for};
use support::{Home, number, text};

/// "Graceful stop in under 5 s whatever it is doing."
const SOON: Duration = Duration::from_secs(5);

#[test]
fn three_nodes_connect_catch_up_and_agree() {
    let home = Home::new();
    mine(&home, "a", 30);
    let a = Node::start(&home, "a", "");
    let b = Node::start(&home, "b", &format!("--connect {}", a.address));
    let mut c = Node::start(&home, "c", &format!("--connect {}", b.address));
    agree(&[&a, &b, &c], 30);
    c.running.event("synced");
    c.stop().ok();
    // What one mines all have, and it never has to pause.
    let c = Node::start(&home, "c", &format!("--connect {} --mine --blocks 30 --pace 0 --threads 1", b.address));
    agree(&[&a, &b, &c], 60);
    let logged = fs::read_to_string(home.path("c/logs/node.log")).unwrap();
    assert!(!logged.contains("ERROR"), "{logged}");
    for node in [a, b, c] {
        node.stop().ok();
    }
    for name in ["a", "b", "c"] {
        home.run(&format!("verify --data-dir {name}")).ok();
    }
}

#[test]
fn five_nodes_two_of_them_mining_come_to_one_tip_and_do_so_after_each_was_restarted() {
    let home = Home::new();
    let mut nodes = vec![Node::start(&home, "n0", "--mine --blocks 4 --threads 1")];
    for number in 1..5 {
        let peers: Vec<_> = nodes.iter().map(|node: &Node| format!("--add-peer {}", node.address)).collect();
        let mines = if number == 1 { "--mine --blocks 7 --threads 1" } else { "" };
        nodes.push(Node::start(&home, &format!("n{number}"), &format!("{} {mines}", peers.join(" "))));
    }
    // The first stops mining first; the last block is the other's seventh, and forks may have cost some.
    for _ in 0..7 {
        nodes[1].running.event("mined");
    }
    agree(&nodes.iter().collect::<Vec<_>>(), 7);

    let addresses: Vec<_> = nodes.iter().map(|node| format!("--add-peer {}", node.address)).collect();
    for number in 0..5 {
        let old = nodes.remove(number);
        let (name, address) = (old.name.clone(), old.address.clone());
        old.stop().ok();
        let others: Vec<_> = (0..5).filter(|other| *other != number).map(|other| addresses[other].as_str()).collect();
        let flags = format!("--listen {address} {} --mine --blocks 1 --threads 1", others.join(" "));
        nodes.insert(number, Node::start_with(&home, &name, &flags));
        nodes[number].running.event("mined");
        agree(&nodes.iter().collect::<Vec<_>>(), 8 + number as u64);
    }
}

#[test]
fn two_chains_that_meet_become_the_one_of_more_work_with_an_alarm_and_a_notice() {
    let home = Home::new();
    mine(&home, "left", 8);
    mine(&home, "right", 12);
    let script = home.write("told.sh", "echo \"$1 $BLOOM_HEIGHT $BLOOM_REORGANISED\" >> told\n");
    let notify = format!("notify = \"sh {} %s\"\n", script.display());
    home.write("left/bloom.toml", notify);
    let left = Node::start(&home, "left", "");
    let right = Node::start(&home, "right", "");
    let old = left.status();
    left.ok(&format!("peers add {}", right.address));
    agree(&[&left, &right], 12);
    let tip = right.tip();
    // How many runs that took is a matter of time; what they were told is not.
    let told = || {
        let text = fs::read_to_string(home.path("told")).unwrap_or_default();
        let lines = text.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        lines.filter(|words| words.len() == 3).collect::<Vec<_>>()
    };
    wait_for("the notify command", || told().last().is_some_and(|words| words[..2] == [tip.as_str(), "12"]));
    assert_eq!(told().iter().map(|words| words[2].parse::<u64>().unwrap()).sum::<u64>(), 8);

    // Parted by a ban, each goes on; let in again, they meet.
    left.ok("peers ban 127.0.0.1 --hours 1");
    wait_for("nobody", || right.peers().is_empty() && left.peers().is_empty());
    assert_eq!(left.json("peers bans --json")["bans"][0]["who"], "127.0.0.1");
    left.ok("peers unban 127.0.0.1");
    wait_for("each other", || !left.peers().is_empty());
    left.ok(&format!("peers remove {}", right.address));
    assert_ne!(text(&old["tip"]), tip);
    let ended = left.stop().ok();
    assert!(ended.stderr.contains("ALARM: a reorganisation of 8 blocks"), "{}", ended.stderr);
    let logged = fs::read_to_string(home.path("left/logs/node.log")).unwrap();
    assert!(logged.contains("ALARM: a reorganisation of 8 blocks"), "{logged}");
}

#[test]
fn a_node_that_is_killed_or_stopped_while_it_catches_up_goes_on_where_it_was() {
    const BLOCKS: u64 = 600;
    let home = Home::new();
    mine(&home, "a", BLOCKS);
    let a = Node::start(&home, "a", "");
    let flags = format!("--connect {}", a.address);
    let mut last = 0;
    for kill in [true, false, true] {
        let mut b = Node::start(&home, "b", &flags);
        let began = number(&b.start["height"]);
        assert!(began >= last.min(BLOCKS), "it goes on from {last}: {}", b.start);
        last = b.wait_for_height(began + 100);
        if kill {
            b.running.kill();
            last = last.saturating_sub(64); // at most one batch of blocks is gone
        } else {
            b.stop().ok();
        }
    }
    let b = Node::start(&home, "b", &flags);
    agree(&[&a, &b], BLOCKS);
    b.stop().ok();
    home.run("verify --data-dir b").ok();
}

#[test]
fn a_signal_ends_a_node_that_mines_and_dials_in_vain_and_a_stop_leaves_nothing_open() {
    let home = Home::new();
    for (signal, flags) in [
        ("TERM", "--mine --threads 1 --pace 0"),
        ("INT", "--connect 127.0.0.1:1 --connect [::1]:1"),
        ("HUP", "--network main --mine --threads 1"),
    ] {
        let network = if flags.contains("main") { "main" } else { "d" };
        let node = Node::start(&home, network, flags);
        node.running.signal(signal);
        let asked = Instant::now();
        let ended = node.running.finish().ok();
        assert!(asked.elapsed() < SOON, "{:?} after {signal}", asked.elapsed());
        assert_eq!(ended.json_lines().pop().unwrap()["event"], "end", "{signal}");
        assert!(!home.path(network).join("node.sock").exists());
    }
}

#[test]
fn bloom_peers_asks_a_node_or_its_files() {
    let home = Home::new();
    home.run("peers --data-dir d").refused(3, &["no node ever ran in d"]);
    let node = Node::start(&home, "d", "");
    let socket = home.path("d/node.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    home.run("chain --data-dir d").refused(3, &["in use by process", "it is a node", "bloom peers status"]);
    home.run("mempool --data-dir d").refused(3, &["it is a node"]);
    let status = node.status();
    assert_eq!((&status["network"], &status["height"]), (&"dev".into(), &0.into()));
    assert_eq!(number(&status["process"]), u64::from(node.running.id()));
    node.ok("peers ban 203.0.113.7");
    node.ok("peers ban 2001:db8::7 --hours 2");
    home.run("peers add nonsense --data-dir d").refused(2, &["not a peer's address"]);
    home.run("peers remove 203.0.113.9:1 --data-dir d").refused(1, &["was not sought"]);
    home.run("peers unban 203.0.113.8 --data-dir d").refused(1, &["was not kept out"]);
    home.run("tx send 00 --data-dir d").refused(1, &["not a transaction"]);
    node.running.kill();

    // What was left is no node; bans of a killed one may be minutes old, those made by hand now are not.
    assert!(socket.exists());
    home.run("peers status --data-dir d").refused(1, &["no node runs in d", "bloom node"]);
    home.run("peers ban 198.51.100.7 --data-dir d").ok();
    let bans = home.run("peers bans --json --data-dir d").ok().json();
    assert!(bans["bans"].as_array().unwrap().iter().any(|ban| ban["who"] == "198.51.100.7"), "{bans}");
    let node = Node::start(&home, "d", "");
    let bans = node.json("peers bans --json");
    assert!(bans["bans"].as_array().unwrap().iter().any(|ban| ban["who"] == "198.51.100.7"), "{bans}");
    node.ok("peers unban 198.51.100.7");
    node.stop().ok();
    assert!(!fs::read_to_string(home.path("d/bans.txt")).unwrap().contains("198.51.100.7"));
}

#[test]
fn files_beside_the_chain_that_cannot_be_read_are_begun_anew_with_a_remark() {
    let home = Home::new();
    Node::start(&home, "d", "").stop().ok();
    home.write("d/peers.dat", "nonsense");
    home.write("d/bans.txt", "nonsense");
    let ended = Node::start(&home, "d", "").stop().ok();
    for name in ["peers.dat", "bans.txt"] {
        assert!(ended.stderr.contains(name) && ended.stderr.contains("begun anew"), "{}", ended.stderr);
        assert_eq!(fs::read_to_string(home.path(&format!("d/{name}.unusable"))).unwrap(), "nonsense");
    }
    let ended = Node::start(&home, "d", "").stop().ok();
    assert!(!ended.stderr.contains("begun anew"), "{}", ended.stderr);
}

#[test]
fn a_node_that_reaches_nobody_says_so_once_and_goes_on_when_nobody_reads_its_events() {
    let home = Home::new();
    home.run("node --add-peer 127.0.0.1:0 --data-dir d").refused(2, &["add-peer: got 127.0.0.1:0"]);
    let mut node = Node::start(&home, "d", "--add-peer 127.0.0.1:9");
    assert_eq!(node.running.event("unreachable")["address"], "127.0.0.1:9");
    let status = node.ok("peers status").stdout;
    assert!(status.contains("no peers") && status.contains("by hand    127.0.0.1:9"), "{status}");
    home.run("peers add 0.0.0.0:7 --data-dir d").refused(2, &["expected one machine's"]);
    home.run("peers unban nokey --data-dir d").refused(2, &["got \"nokey\", expected an IP address"]);
    let ended = node.stop().ok();
    assert_eq!(ended.stderr.matches("cannot be reached").count(), 1, "{}", ended.stderr);

    let mut command = home.bloom(["node", "--json", "--listen", "none", "--kademlia=false", "--data-dir", "e"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = command.stdout(full).spawn().unwrap();
    wait_for("a node that answers", || home.run("peers status --data-dir e").status.success());
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_socket_that_somebody_replaced_is_neither_used_nor_removed() {
    let home = Home::new();
    let mine = home.write("mine", "precious");
    fs::create_dir(home.path("d")).unwrap();
    std::os::unix::fs::symlink(&mine, home.path("d/node.sock")).unwrap();
    home.run("peers status --data-dir d").refused(3, &["it is not a socket"]);
    let node = Node::start(&home, "d", "");
    node.running.signal("TERM");
    let ended = node.running.finish().ok();
    assert!(ended.stderr.contains("no control socket"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(mine).unwrap(), "precious");
    assert!(home.path("d/node.sock").is_symlink());
}

#[test]
fn a_disk_that_is_all_but_full_ends_a_node_before_it_writes_and_one_that_is_narrow_is_said() {
    let home = Home::new();
    let full = "node --listen none --disk-stop-mib 1000000000 --data-dir d";
    home.run(full).refused(3, &["MiB are free", "make room"]);
    let mut node = Node::start(&home, "d", "--disk-warn-mib 1000000000");
    let disk = node.running.event("disk");
    assert_eq!(disk["stops"], false);
    node.stop().ok();
}

#[test]
fn flags_are_over_the_environment_over_the_file_and_what_cannot_be_is_refused() {
    let home = Home::new();
    home.write("d/bloom.toml", "mine = true\nblocks = 2\npace = 0\nthreads = 1\nlisten = [\"none\"]\n");
    let mut node = Node::start_with(&home, "d", "");
    node.running.event("mined");
    assert_eq!(node.start["listening"], serde_json::json!([]));
    node.stop().ok();
    let height = number(&home.run("chain --json --data-dir d").ok().json()["height"]);
    let node = Node::start_with(&home, "d", "--mine=false");
    node.stop().ok();
    assert_eq!(number(&home.run("chain --json --data-dir d").ok().json()["height"]), height);
    let mut command = home.bloom(["node", "--data-dir", "d"]);
    command.env("BLOOM_LISTEN", "nonsense");
    support::Running::start(command).finish().refused(2, &["listen: not a peer's address", "nonsense"]);
    home.write("d/bloom.toml", "mine = true\nmaxpeers = 3\n");
    home.run("node --data-dir d").refused(2, &["bloom.toml", "maxpeers"]);
    home.run("node --config missing.toml --data-dir e").refused(2, &["missing.toml", "cannot be read"]);
    home.run("node --network main --mdns --data-dir e").refused(2, &["mdns: only the dev network"]);
    home.run("node --address nonsense --data-dir e").refused(2, &["address"]);
    assert!(!home.path("e").exists(), "nothing is made for what is refused");
}
