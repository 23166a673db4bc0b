//! A secret nonce is used once, by whom and for what it was made, and is gone before what it signed is seen.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use bloom_wallet::proposal::{CombineError, Proposal};
use bloom_wallet::session::{SessionBook, SessionError};
use bloom_wallet::sign::SignError;

use super::support::{Machine, all_sign, combine, dev, shared_payment};

/// Two machines after the first round, with the combined proposal.
fn after_first_round() -> ([Machine; 2], Proposal, Proposal) {
    let mut machines = [Machine::new(1), Machine::new(2)];
    let prepared = shared_payment(&machines);
    let nonces = all_sign(&mut machines, &prepared);
    (machines, prepared, nonces)
}

fn refusal(machine: &mut Machine, proposal: &Proposal) -> SessionError {
    match machine.sign(proposal) {
        Err(SignError::Session(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// The session is over for good: putting back what was there does not help.
fn over(machine: &mut Machine, nonces: &Proposal) {
    assert!(machine.nonce_file().is_none());
    assert!(matches!(refusal(machine, nonces), SessionError::Spent));
}

fn edited(book: &SessionBook, edit: impl FnOnce(&mut serde_json::Value)) -> SessionBook {
    let mut value = serde_json::to_value(book).unwrap();
    edit(&mut value);
    serde_json::from_value(value).unwrap()
}

#[test]
fn nonces_sign_once() {
    let (mut machines, _, nonces) = after_first_round();
    machines[0].sign(&nonces).unwrap();
    over(&mut machines[0], &nonces);
}

/// Both what is on the disk and what the wallet file will say, at the moment when the partial signature exists.
#[test]
fn a_partial_signature_leaves_when_its_nonces_are_gone() {
    let (mut machines, _, nonces) = after_first_round();
    let file = machines[0].nonce_file().unwrap();
    let content = fs::read(&file).unwrap();
    let open = serde_json::to_string(&machines[0].wallet.book).unwrap();
    machines[0].wallet.on_keep = Some(Box::new(move |book| {
        assert!(!file.exists());
        assert_eq!(book.open_sessions(), 0);
    }));
    machines[0].sign(&nonces).unwrap();
    assert!(machines[0].nonce_file().is_none());
    let closed = serde_json::to_string(&machines[0].wallet.book).unwrap();
    assert!(open.contains("\"key\"") && !closed.contains("\"key\""), "the key to the nonces is gone too: {closed}");
    assert_eq!(content.len(), 84);
}

#[test]
fn a_wallet_file_that_cannot_be_written_lets_nothing_leave() {
    let (mut machines, _, nonces) = after_first_round();
    machines[0].wallet.full = true;
    assert!(matches!(refusal(&mut machines[0], &nonces), SessionError::Keeper(_)));
    machines[0].wallet.full = false;
    assert!(matches!(refusal(&mut machines[0], &nonces), SessionError::Gone { .. }));
    over(&mut machines[0], &nonces);
}

/// The attack that all of this is about: the same nonces with two different ones of the other cosigner give the key away.
#[test]
fn other_nonces_from_the_cosigner_get_no_second_signature() {
    let (mut machines, prepared, nonces) = after_first_round();
    let file = machines[0].nonce_file().unwrap();
    let kept = (fs::read(&file).unwrap(), machines[0].wallet.book.clone());
    machines[0].sign(&nonces).unwrap();

    let again = machines[1].sign(&prepared).unwrap();
    assert!(again.replaced);
    let [one, other] = [nonces.clone(), again.proposal];
    assert!(matches!(one.combine(&dev(), &other), Err(CombineError::TwoNonces { input: 0, .. })));
    // The cosigner makes the file by other means: its new nonces beside the first machine's old ones.
    let grafted = graft(&machines, &nonces, &other);
    assert!(matches!(refusal(&mut machines[0], &grafted), SessionError::Spent));
    // With the nonce file and the wallet file put back as they were, the file is another one.
    fs::write(&file, &kept.0).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    machines[0].wallet.book = kept.1;
    assert!(matches!(refusal(&mut machines[0], &grafted), SessionError::Copied { .. }));
    over(&mut machines[0], &grafted);
}

/// The first machine's share of `old` beside the second's of `new`.
fn graft(machines: &[Machine], old: &Proposal, new: &Proposal) -> Proposal {
    let share = |proposal: &Proposal, machine: &Machine| {
        let bytes = proposal.encode();
        let key = machine.keys.cosigner().serialize();
        let keys = bytes.windows(33).position(|window| window == key).unwrap();
        let second = keys
            > bytes
                .windows(33)
                .position(|window| machines.iter().any(|other| window == other.keys.cosigner().serialize()))
                .unwrap();
        (bytes, second)
    };
    let (mut bytes, second) = share(old, &machines[1]);
    let (source, _) = share(new, &machines[1]);
    // Shares follow the two keys; rounds u8 ‖ nonce 66 each where both have a nonce.
    let first_key = machines.iter().map(|machine| machine.keys.cosigner().serialize()).min().unwrap();
    let shares = bytes.windows(33).position(|window| window == first_key).unwrap() + 66;
    let to = shares + if second { 67 } else { 0 };
    // In `new` the first machine's share is absent: one byte.
    let from = shares + usize::from(second);
    bytes[to..to + 67].copy_from_slice(&source[from..from + 67]);
    let content = bytes.len() - 32;
    let checksum = blake3::derive_key("bloomcoin v1 proposal", &bytes[..content]);
    bytes[content..].copy_from_slice(&checksum);
    Proposal::decode(&dev(), &bytes).unwrap()
}

/// File systems count time in ticks of some milliseconds: whatever comes after this is later than the file.
fn pass_the_tick(file: &Path, aside: &Path) {
    let changed = |path: &Path| {
        let metadata = fs::metadata(path).unwrap();
        (metadata.ctime(), metadata.ctime_nsec())
    };
    loop {
        fs::write(aside, "").unwrap();
        let now = changed(aside);
        fs::remove_file(aside).unwrap();
        if now > changed(file) {
            return;
        }
    }
}

/// Every way in which a file comes to stand in the session's place: none of them is the file that was written.
#[test]
fn a_copied_moved_or_linked_session_is_refused() {
    type Copy = fn(&Path, &Path);
    let copied: [(&str, Copy); 5] = [
        ("copied over itself", |file, aside| {
            fs::copy(file, aside).unwrap();
            fs::rename(aside, file).unwrap();
        }),
        ("moved away and back", |file, aside| {
            fs::rename(file, aside).unwrap();
            fs::rename(aside, file).unwrap();
        }),
        ("a second name", |file, aside| fs::hard_link(file, aside).unwrap()),
        ("written in place", |file, _| fs::write(file, fs::read(file).unwrap()).unwrap()),
        ("a link", |file, aside| {
            fs::rename(file, aside).unwrap();
            std::os::unix::fs::symlink(aside, file).unwrap();
        }),
    ];
    for (what, copy) in copied {
        let (mut machines, _, nonces) = after_first_round();
        let file = machines[0].nonce_file().unwrap();
        let aside = file.parent().unwrap().parent().unwrap().join("aside");
        pass_the_tick(&file, &aside);
        let modified = fs::metadata(&file).unwrap().modified().unwrap();
        copy(&file, &aside);
        // As `cp -p`, tar and rsync do; the time of change is not theirs to set.
        if file.is_file() && !file.is_symlink() {
            fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
        }
        assert!(matches!(refusal(&mut machines[0], &nonces), SessionError::Copied { .. }), "{what}");
        over(&mut machines[0], &nonces);
    }
}

#[test]
fn a_session_copied_to_another_machine_is_refused() {
    let (mut machines, _, nonces) = after_first_round();
    let mut clone = Machine::new(1);
    fs::create_dir(clone.nonces()).unwrap();
    let file = machines[0].nonce_file().unwrap();
    let copy = clone.nonces().join(file.file_name().unwrap());
    fs::copy(&file, &copy).unwrap();
    clone.wallet.book = machines[0].wallet.book.clone();
    assert!(matches!(refusal(&mut clone, &nonces), SessionError::Copied { .. }));
    // The session itself is as it was.
    machines[0].sign(&nonces).unwrap();
}

#[test]
fn a_restored_wallet_file_knows_no_session() {
    let (mut machines, _, nonces) = after_first_round();
    machines[0].wallet.book = SessionBook::default();
    assert!(matches!(refusal(&mut machines[0], &nonces), SessionError::Unknown));
}

#[test]
fn a_session_ends_with_the_boot_it_began_in_unless_its_user_says_otherwise() {
    let rebooted = |book: &SessionBook| {
        edited(book, |book| {
            let boot = &mut book["open"][0]["boot"];
            if !boot.is_null() {
                *boot = "another boot".into();
            }
        })
    };
    let (mut machines, prepared, nonces) = after_first_round();
    machines[0].wallet.book = rebooted(&machines[0].wallet.book);
    assert!(matches!(refusal(&mut machines[0], &nonces), SessionError::Restarted));
    over(&mut machines[0], &nonces);

    let own = machines[0].sign_with(&prepared, true).unwrap().proposal;
    let others = machines[1].sign(&prepared).unwrap().proposal;
    machines[0].wallet.book = rebooted(&machines[0].wallet.book);
    machines[0].sign(&combine(&[own, others])).unwrap();
}

#[test]
fn damaged_nonces_are_refused() {
    let (mut machines, _, nonces) = after_first_round();
    machines[0].wallet.book = edited(&machines[0].wallet.book, |book| book["open"][0]["key"][0] = 0.into());
    let key = |book: &SessionBook| serde_json::to_value(book).unwrap()["open"][0]["key"][0].clone();
    assert_eq!(key(&machines[0].wallet.book), 0);
    let refused = refusal(&mut machines[0], &nonces);
    assert!(matches!(refused, SessionError::Damaged { .. }), "{refused}");
    over(&mut machines[0], &nonces);
}

#[test]
fn starting_over_makes_new_nonces_and_voids_the_old() {
    let (mut machines, prepared, nonces) = after_first_round();
    let again = machines[0].sign(&prepared).unwrap();
    assert!(again.replaced);
    assert!(matches!(nonces.combine(&dev(), &again.proposal), Err(CombineError::TwoNonces { .. })));
    assert!(matches!(machines[0].sign(&nonces), Err(SignError::OtherNonces)));
    assert!(machines[0].nonce_file().is_some(), "nothing was used: the session goes on");
    // After a spent session too.
    let fresh = machines[1].sign(&prepared).unwrap().proposal;
    let nonces = combine(&[again.proposal, fresh]);
    machines[0].sign(&nonces).unwrap();
    over(&mut machines[0], &nonces);
    let nonces = all_sign(&mut machines, &prepared);
    all_sign(&mut machines, &nonces).transaction().unwrap();
}

/// The file alone is enough to begin again: what was signed with the nonces that are void goes too.
#[test]
fn starting_over_needs_no_file_but_the_last() {
    let (mut machines, prepared, nonces) = after_first_round();
    let half = machines[1].sign(&nonces).unwrap().proposal;
    assert_eq!(half.started_over(&machines[0].keys.cosigner()), prepared);
    let own = machines[0].keys.cosigner();
    let others = machines[1].sign(&prepared).unwrap().proposal;
    assert_eq!(combine(&[machines[0].sign(&prepared).unwrap().proposal, others.clone()]).started_over(&own), others);
}

#[test]
fn the_second_round_waits_for_all_nonces() {
    let mut machines = [Machine::new(1), Machine::new(2), Machine::new(3)];
    let prepared = shared_payment(&machines);
    let [one, other] = [0, 1].map(|i| machines[i].sign(&prepared).unwrap().proposal);
    let both = combine(&[one, other]);
    match machines[0].sign(&both) {
        Err(SignError::NoncesMissing { missing }) => assert_eq!(missing, [machines[2].keys.cosigner()]),
        other => panic!("{other:?}"),
    }
    assert!(machines[0].nonce_file().is_some());
}

#[test]
fn the_nonce_file_is_for_its_owner_alone() {
    let (machines, _, _) = after_first_round();
    let file = machines[0].nonce_file().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
}
