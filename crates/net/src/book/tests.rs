//! What must hold of a book whatever is sent, and what its file refuses.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::wire::KnownAddress;

const NOW: Timestamp = Timestamp(1_800_000_000);
const DAY: u64 = 24 * 3_600;

fn after(secs: u64) -> Timestamp {
    Timestamp(NOW.0 + secs)
}

fn book() -> Book {
    Book::new([7; 32])
}

fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// An address of a group, the number being its host and port.
fn host(group: u16, number: u32) -> PeerAddr {
    let [a, b] = group.to_be_bytes();
    let [_, c, d, _] = number.to_be_bytes();
    let port = u16::try_from(number % 60_000).unwrap() + 1;
    PeerAddr::new(Ipv4Addr::new(a, b, c, d).into(), port)
}

fn group(group: u16) -> NetGroup {
    NetGroup::V4(group.to_be_bytes())
}

/// All that is claimed of a book's insides.
fn holds_together(book: &Book) {
    assert_eq!(book.entries.len(), book.places.len());
    let mut buckets = BTreeSet::new();
    for (place, entry) in &book.entries {
        assert_eq!(book.places.get(&entry.address), Some(place));
        let (tried, new) = (book.key.tried_place(&entry.address), book.key.new_place(&entry.address, entry.source));
        assert_eq!(*place, if place.is_tried() { tried } else { new });
        buckets.insert(place.bucket());
    }
    assert_eq!(book.buckets, buckets);
    assert_eq!(book.tried, book.entries.keys().filter(|place| place.is_tried()).count());
    assert!(book.collisions.len() <= MAX_COLLISIONS);
    let (new, tried) = book.counts();
    assert!(new <= 65_536 && tried <= 16_384 && book.anchors.len() <= MAX_ANCHORS);
}

#[derive(Clone, Debug)]
enum Step {
    Add { group: u16, number: u32, source: u16, age: i64 },
    Connected(u16, u32),
    Attempted(u16, u32),
    Collision,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (groups, numbers) = (0x0800..0x0808_u16, 0..200_u32);
    prop_oneof![
        6 => (groups.clone(), numbers.clone(), 0x0900..0x0904_u16, -2_000_000_i64..40_000_000)
            .prop_map(|(group, number, source, age)| Step::Add { group, number, source, age }),
        3 => (groups.clone(), numbers.clone()).prop_map(|(group, number)| Step::Connected(group, number)),
        3 => (groups, numbers).prop_map(|(group, number)| Step::Attempted(group, number)),
        1 => Just(Step::Collision),
        1 => (0..3 * DAY).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is done to it, a book holds together, reads back as it was, and takes the same way twice.
    #[test]
    fn it_holds_together(steps in proptest::collection::vec(step(), 0..400)) {
        let mut now = NOW;
        let mut book = book();
        for step in &steps {
            match *step {
                Step::Add { group: own, number, source, age } => {
                    let seen = Timestamp(now.0.saturating_add_signed(-age));
                    book.add(host(own, number), seen, group(source), now);
                }
                Step::Connected(group, number) => book.connected(&host(group, number), now),
                Step::Attempted(group, number) => book.attempted(&host(group, number), now),
                Step::Collision => {
                    let asked = book.collision(now);
                    prop_assert!(asked.is_none_or(|address| book.shelf(&address) == Some(Shelf::Tried)));
                }
                Step::Wait(secs) => now.0 += secs,
            }
        }
        holds_together(&book);
        let read = Book::decode(&book.encode()).unwrap();
        prop_assert_eq!(read.encode(), book.encode());
        let pick = |book: &Book| book.pick(&mut random(1), Shelf::Either, now, &mut |_| true);
        prop_assert_eq!(pick(&read), pick(&book));
        prop_assert_eq!(pick(&book).is_none(), book.counts() == (0, 0));
    }

    #[test]
    fn garbage_is_no_book(bytes in proptest::collection::vec(any::<u8>(), 0..300), at: prop::sample::Index) {
        prop_assert!(Book::decode(&bytes).is_err());
        let mut book = filled(20);
        book.set_anchors(&[host(0x0801, 1)]);
        let mut bytes = book.encode();
        prop_assert!(Book::decode(&bytes[..at.index(bytes.len())]).is_err());
        let bit = at.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Book::decode(&bytes).is_err());
    }
}

fn filled(addresses: u32) -> Book {
    let mut book = book();
    for number in 0..addresses {
        let own = u16::try_from(0x0800 + number % 1_000).unwrap();
        book.add(host(own, number), NOW, group(own), NOW);
    }
    book
}

/// A million addresses told, by everybody and by one (attacks 26).
#[test]
fn a_million_addresses_fill_what_there_is_and_no_more() {
    let mut from_all = book();
    let mut from_one = book();
    let mut random = random(2);
    for _ in 0..1_000_000 {
        let number = random.next_u64().to_le_bytes();
        let [a, b, c, d, source @ ..] = number;
        let ip: std::net::IpAddr = if a & 1 == 0 {
            Ipv4Addr::new(a | 8, b, c, d).into()
        } else {
            Ipv6Addr::from([0x20, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).into()
        };
        let address = PeerAddr::new(ip, 7_617);
        from_all.add(address, NOW, NetGroup::V6(source), NOW);
        from_one.add(address, NOW, group(0x0808), NOW);
    }
    holds_together(&from_all);
    holds_together(&from_one);
    assert!(from_all.counts().0 > 65_000 && from_all.encode().len() <= MAX_BOOK_BYTES);
    let (new, _) = from_one.counts();
    assert!(new <= 4_096 && from_one.buckets.len() <= 64, "{new} in {}", from_one.buckets.len());
}

/// Eight groups, any number of addresses in them, all of them answering: what they fill, and what they leave (attacks 26).
#[test]
fn eight_groups_get_their_buckets_and_no_more() {
    let mut book = book();
    let honest: Vec<_> = (0..100_u16).map(|own| host(0x1000 + own, u32::from(own))).collect();
    for address in &honest {
        book.add(*address, NOW, NetGroup::of(address), NOW);
        book.connected(address, NOW);
    }
    let attackers: Vec<u16> = (0..8).map(|n| 0x2000 + n).collect();
    for number in 0..3_000 {
        for own in &attackers {
            let address = host(*own, number);
            for source in &attackers {
                book.add(address, NOW, group(*source), NOW);
            }
            book.connected(&address, NOW);
            while book.collisions.len() == MAX_COLLISIONS && book.collision(NOW).is_some() {}
        }
        // What is not of the attacker's own groups it can tell as well.
        book.add(host(0x3000 + u16::try_from(number % 4_096).unwrap(), number), NOW, group(0x2000), NOW);
    }
    holds_together(&book);
    let theirs = |entry: &&Entry| attackers.iter().any(|own| NetGroup::of(&entry.address) == group(*own));
    let buckets = |tried: bool| {
        let entries = book.entries.iter().filter(|(place, entry)| place.is_tried() == tried && theirs(entry));
        entries.map(|(place, _)| place.bucket()).collect::<BTreeSet<_>>().len()
    };
    assert!(buckets(true) <= 8 * 8, "{} tried buckets", buckets(true));
    assert!(buckets(false) <= 8 * 8, "{} new buckets of 8 groups by 8 sources", buckets(false));
    let told_by_first = book.entries.iter().filter(|(place, entry)| !place.is_tried() && entry.source == group(0x2000));
    assert!(told_by_first.map(|(place, _)| place.bucket()).collect::<BTreeSet<_>>().len() <= 64);

    // A hundred addresses against some thousands: still a third of what is picked.
    let kept: BTreeSet<_> = honest.iter().filter(|address| book.shelf(address) == Some(Shelf::Tried)).collect();
    assert!(kept.len() >= 80, "{} honest ones", kept.len());
    let mut random = random(3);
    let picked = (0..1_000).filter_map(|_| book.pick(&mut random, Shelf::Tried, after(3_600), &mut |_| true));
    let good = picked.filter(|address| kept.contains(address)).count();
    assert!(good > 333, "{good} of 1000 picks are honest");
}

/// Two addresses with one place among the tried.
fn rivals(book: &Book) -> (PeerAddr, PeerAddr) {
    let first = host(0x0801, 1);
    let wanted = book.key.tried_place(&first);
    let rival = (2..).map(|number| host(0x0801, number)).find(|other| book.key.tried_place(other) == wanted);
    (first, rival.unwrap())
}

fn with_rivals() -> (Book, PeerAddr, PeerAddr) {
    let mut book = book();
    let (first, rival) = rivals(&book);
    for address in [first, rival] {
        assert!(book.add(address, NOW, group(0x0909), NOW));
    }
    book.connected(&first, NOW);
    (book, first, rival)
}

#[test]
fn a_tried_place_is_kept_while_its_holder_answers() {
    let (mut book, first, rival) = with_rivals();
    book.connected(&rival, after(3_600));
    assert_eq!(book.collision(after(3_600)), None, "who answered an hour ago need not be asked");

    book.connected(&rival, after(DAY));
    assert_eq!(book.shelf(&rival), Some(Shelf::New));
    assert_eq!(book.collision(after(DAY)), Some(first));
    book.connected(&first, after(DAY));
    assert_eq!(book.collision(after(DAY)), None);
    assert_eq!((book.shelf(&first), book.shelf(&rival)), (Some(Shelf::Tried), Some(Shelf::New)));
    holds_together(&book);
}

#[test]
fn a_tried_place_is_lost_by_silence_to_who_waits() {
    let (mut book, first, rival) = with_rivals();
    book.attempted(&first, after(DAY));
    assert_eq!(book.shelf(&first), Some(Shelf::Tried), "nobody waits for its place");
    book.connected(&rival, after(DAY));
    assert_eq!(book.shelf(&first), Some(Shelf::Tried), "it was not asked yet");
    assert_eq!(book.collision(after(DAY)), Some(first));
    book.attempted(&first, after(DAY));
    assert_eq!((book.shelf(&first), book.shelf(&rival)), (Some(Shelf::New), Some(Shelf::Tried)));
    assert_eq!(book.collision(after(DAY)), None);
    holds_together(&book);
}

/// What befalls an address.
type Happens = fn(&mut Book, &PeerAddr);

/// The places of a source that are taken stay taken, but by what is as good as gone.
#[test]
fn a_new_place_is_lost_by_what_is_terrible() {
    let rival_of = |book: &Book, address: &PeerAddr| {
        let wanted = book.key.new_place(address, group(0x0909));
        (2..).map(|n| host(0x0801, n)).find(|other| book.key.new_place(other, group(0x0909)) == wanted).unwrap()
    };
    let first = host(0x0801, 1);
    // What happens to the first, and when the other comes; whether it gets the place then.
    let cases: [(&str, Happens, u64, bool); 7] = [
        ("seen just now", |_, _| {}, 0, false),
        ("seen 30 days ago", |_, _| {}, 30 * DAY, false),
        ("seen longer ago", |_, _| {}, 30 * DAY + 1, true),
        ("failed twice", |book, first| (0..2).for_each(|_| book.attempted(first, NOW)), 61, false),
        ("failed three times", |book, first| (0..3).for_each(|_| book.attempted(first, NOW)), 61, true),
        ("being tried", |book, first| (0..3).for_each(|_| book.attempted(first, NOW)), 60, false),
        ("seen after now", |book, first| book.change(first, |entry| entry.seen = after(601)), 0, true),
    ];
    for (what, happens, later, gives_way) in cases {
        let mut book = book();
        assert!(book.add(first, NOW, group(0x0909), NOW));
        let rival = rival_of(&book, &first);
        happens(&mut book, &first);
        assert_eq!(book.add(rival, after(later), group(0x0909), after(later)), gives_way, "{what}");
        assert_eq!(book.shelf(&first).is_none(), gives_way, "{what}");
        holds_together(&book);
    }
}

#[test]
fn what_is_told_of_times_is_believed_within_reason() {
    let mut book = book();
    assert!(!book.add(host(0x0801, 1), Timestamp(NOW.0 - 31 * DAY), group(0x0909), NOW), "too old to be kept");
    let told = |secs: i64| {
        let mut book = self::book();
        book.add(host(0x0801, 1), Timestamp(NOW.0.saturating_add_signed(secs)), group(0x0909), NOW);
        let seen = book.sample(&mut random(1), 10, NOW)[0].seen.0;
        i64::try_from(seen).unwrap() - i64::try_from(NOW.0).unwrap()
    };
    assert_eq!([told(-100), told(0), told(600), told(601), told(i64::MAX)], [-100, 0, 0, -432_000, -432_000]);
    // Hearsay makes a new address fresher, never older, and a tried one neither.
    let known = host(0x0801, 2);
    book.add(known, Timestamp(NOW.0 - DAY), group(0x0909), NOW);
    for seen in [NOW.0 - 2 * DAY, NOW.0 - 100] {
        assert!(!book.add(known, Timestamp(seen), group(0x0910), NOW));
    }
    let seen = |book: &Book| book.sample(&mut random(1), 10, after(DAY))[0];
    assert_eq!(seen(&book), KnownAddress { address: known, seen: Timestamp(NOW.0 - 100) });
    book.connected(&known, NOW);
    book.add(known, after(DAY), group(0x0910), after(DAY));
    assert_eq!(seen(&book).seen, NOW);
}

#[test]
fn who_fails_is_picked_less_and_last() {
    let mut book = book();
    let (good, bad) = (host(0x0801, 1), host(0x0802, 2));
    for address in [good, bad] {
        book.add(address, NOW, NetGroup::of(&address), NOW);
    }
    for _ in 0..4 {
        book.attempted(&bad, NOW);
    }
    let mut random = random(4);
    let mut bad_of_1000 = |now| {
        let picks = (0..1_000).filter_map(|_| book.pick(&mut random, Shelf::New, now, &mut |_| true));
        picks.filter(|address| *address == bad).count()
    };
    let (at_once, later) = (bad_of_1000(NOW), bad_of_1000(after(DAY)));
    assert!(at_once < 20 && (50..250).contains(&later), "{at_once}, then {later}");
    let only = book.pick(&mut random, Shelf::Either, NOW, &mut |address| *address == bad);
    assert_eq!(only, Some(bad), "when there is nobody else");
    assert_eq!(book.pick(&mut random, Shelf::Tried, NOW, &mut |_| true), None);
    assert_eq!(book.pick(&mut random, Shelf::Either, NOW, &mut |_| false), None);
}

#[test]
fn a_sample_is_of_good_addresses_and_each_once() {
    let mut book = filled(3_000);
    for number in 0..1_000 {
        let address = host(u16::try_from(0x0800 + number).unwrap(), number);
        (0..3).for_each(|_| book.attempted(&address, NOW));
    }
    let later = after(3_600);
    let sample = book.sample(&mut random(5), 256, later);
    let addresses: BTreeSet<_> = sample.iter().map(|known| known.address).collect();
    assert_eq!((sample.len(), addresses.len()), (256, 256));
    let attempts = |address| book.places.get(address).and_then(|place| book.entries.get(place)).unwrap().attempts;
    assert!(addresses.iter().all(|address| attempts(address) == 0));
    assert_eq!(sample, book.sample(&mut random(5), 256, later), "the same draws, the same sample");
    let few = filled(5);
    assert_eq!(few.sample(&mut random(6), 256, NOW).len(), 5);
}

/// What is done to a file before it is sealed again.
type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);

#[test]
fn its_file_says_why_it_is_none() {
    let mut book = filled(2);
    book.connected(&host(0x0801, 1), NOW);
    book.set_anchors(&[host(0x0801, 1), host(0x0802, 2), host(0x0803, 3)]);
    let bytes = book.encode();
    let read = Book::decode(&bytes).unwrap();
    assert_eq!(read.anchors(), [host(0x0801, 1), host(0x0802, 2)]);
    assert_eq!(read, book);

    let sealed = |change: Damage<'_>| {
        let mut contents = bytes[..bytes.len() - 32].to_vec();
        change(&mut contents);
        contents.extend(blake3::hash(&contents).as_bytes());
        Book::decode(&contents).unwrap_err().to_string()
    };
    let (anchors, entries) = (48, 48 + 4 + 36);
    let entry = entries + 4;
    let cases: [(&str, Damage<'_>); 10] = [
        ("not an address book: expected it to begin with \"bloom book\"", &|b| b[0] = b'B'),
        ("address book of format 2, expected 1: a later version of this program wrote it", &|b| b[12] = 2),
        ("address book anchors: got 3, expected at most 2", &|b| b[anchors] = 3),
        ("address book: entry count beyond the bytes: got 3, expected at most 2", &|b| b[entries] = 3),
        ("address book: trailing bytes after address book: got 66, expected none", &|b| b[entries] = 1),
        ("address book: a shelf that there is not", &|b| b[entry] = 2),
        ("address book: a group that there is not", &|b| b[entry + 19] = 5),
        ("address book: bytes after a group", &|b| b[entry + 19 + 18] = 1),
        ("address book: addresses out of order", &|b| b.copy_within(entry..entry + 66, entry + 66)),
        ("address book: trailing bytes after address book: got 1, expected none", &|b| b.push(0)),
    ];
    for (message, change) in cases {
        assert_eq!(sealed(change), message);
    }
    let mut damaged = bytes.clone();
    damaged[60] ^= 1;
    let message = "address book damaged: its checksum is not that of its contents";
    assert_eq!(Book::decode(&damaged).unwrap_err().to_string(), message);
    assert_eq!(
        Book::decode(&vec![0; MAX_BOOK_BYTES + 1]).unwrap_err().to_string(),
        format!("address book too long: got {} bytes, expected at most {MAX_BOOK_BYTES}", MAX_BOOK_BYTES + 1)
    );
}

/// An address that is in both tables' places at once is refused, though each place is its own.
#[test]
fn an_address_has_one_place_in_a_file_too() {
    let mut book = book();
    book.add(host(0x0801, 1), NOW, group(0x0909), NOW);
    let new = book.encode();
    book.connected(&host(0x0801, 1), NOW);
    let tried = book.encode();
    let entry = |bytes: &[u8]| bytes[bytes.len() - 98..bytes.len() - 32].to_vec();
    let mut both = new[..new.len() - 98 - 4].to_vec();
    both.extend(2_u32.to_le_bytes());
    both.extend(entry(&new));
    both.extend(entry(&tried));
    both.extend(blake3::hash(&both).as_bytes());
    assert_eq!(Book::decode(&both), Err(BookError::Value { what: "an address twice" }));
}

/// Whose word an address came on decides its bucket, and the key decides which: nobody can compute it from outside.
#[test]
fn buckets_go_by_groups_and_key() {
    let places = |key: u8, source: u16| {
        let key = Key([key; 32]);
        (0..1_000).map(|n| key.new_place(&host(0x0801, n), group(source)).bucket()).collect::<BTreeSet<_>>()
    };
    assert_eq!(places(1, 0x0901).len(), 1, "one group by one source is one bucket");
    assert_ne!(places(1, 0x0901), places(1, 0x0902));
    assert_ne!(places(1, 0x0901), places(2, 0x0901));
    let key = Key([1; 32]);
    let by_source: BTreeSet<_> = (0..0x4000).map(|own| key.new_place(&host(own, 1), group(0x0901)).bucket()).collect();
    assert!((50..=64).contains(&by_source.len()), "{}", by_source.len());
    let tried: BTreeSet<_> = (0..10_000).map(|n| key.tried_place(&host(0x0801, n)).bucket()).collect();
    assert!(tried.len() <= 8 && tried.iter().all(|bucket| (1_024..1_280).contains(bucket)), "{tried:?}");
    let (v6, mapped) = (Ipv6Addr::from([0x20; 16]), Ipv4Addr::new(8, 1, 0, 1).to_ipv6_mapped());
    let both = [v6, mapped].map(|ip| key.tried_place(&PeerAddr::new(ip.into(), 9)));
    assert_eq!(both[1], key.tried_place(&PeerAddr::new(Ipv4Addr::new(8, 1, 0, 1).into(), 9)));
}
