//! Networks: what main, test, dev and those of parameter files differ in (law §6).

use bloom_kernel::Difficulty;

use crate::constants::{DEV_DIFFICULTY, MAIN_MIN_DIFFICULTY, TEST_DIFFICULTY};
use crate::network_file::{NetworkFile, ParamsError};
use crate::{Block, NetworkId, Retarget};

/// A network as plain data. All else is shared by every network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// What users call it.
    pub name: String,
    /// How difficulty follows from ancestors.
    pub retarget: Retarget,
    /// The lowest difficulty a retarget yields.
    pub min_difficulty: Difficulty,
    /// The first block, with the difficulty of the next ones.
    pub genesis: Block,
    /// The genesis' block hash, signed with every transaction.
    pub network_id: NetworkId,
    /// The last 4 bytes of the network id.
    pub magic: [u8; 4],
    /// TCP port of the RPC.
    pub rpc_port: u16,
    /// TCP port for peers.
    pub peer_port: u16,
    /// Human-readable part of addresses.
    pub address_prefix: String,
}

impl Params {
    /// The main network: golden rule, genesis at 2²⁰, never below 2¹⁶. A rehearsal until launch.
    #[must_use]
    pub fn main() -> Self {
        Self::named("main", Retarget::Golden, MAIN_MIN_DIFFICULTY, MAIN_GENESIS, [7618, 7617], "bloom")
    }

    /// The test network: golden rule, genesis at 2¹², never below. A rehearsal until launch.
    #[must_use]
    pub fn test() -> Self {
        Self::named("test", Retarget::Golden, TEST_DIFFICULTY, TEST_GENESIS, [17_618, 17_617], "tbloom")
    }

    /// The network of one's own machine: every block at ¼, so that a laptop makes them at will.
    #[must_use]
    pub fn dev() -> Self {
        Self::named("dev", Retarget::None, DEV_DIFFICULTY, DEV_GENESIS, [27_618, 27_617], "dbloom")
    }

    /// main, test and dev.
    #[must_use]
    pub fn well_known() -> [Self; 3] {
        [Self::main(), Self::test(), Self::dev()]
    }

    /// The well-known network of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::well_known().into_iter().find(|params| params.name == name)
    }

    /// The network that a parameter file defines; see [`NetworkFile`] for its keys.
    ///
    /// # Errors
    /// [`ParamsError`] for keys unknown, missing or out of range and for a genesis that does not verify or is not new.
    pub fn from_toml(text: &str) -> Result<Self, ParamsError> {
        NetworkFile::parse(text)?.into_params()
    }

    /// The difficulty of genesis, D₀.
    #[must_use]
    pub fn genesis_difficulty(&self) -> Difficulty {
        self.genesis.header.template.difficulty
    }

    /// A genesis block's hash as the id of its network.
    pub(crate) fn network_id_of(genesis: &Block) -> NetworkId {
        NetworkId(genesis.hash().0)
    }

    /// "whose last 4 bytes are the magic"
    pub(crate) fn magic_of(network_id: &NetworkId) -> [u8; 4] {
        *network_id.0.last_chunk().expect("32 bytes have a last 4")
    }

    fn named(
        name: &str,
        retarget: Retarget,
        min_difficulty: Difficulty,
        genesis: &str,
        [rpc_port, peer_port]: [u16; 2],
        prefix: &str,
    ) -> Self {
        let bytes = hex::decode(genesis).expect("the three genesis blocks are written in hex");
        let genesis = Block::decode(&bytes).expect("the three genesis blocks are blocks");
        let network_id = Self::network_id_of(&genesis);
        let magic = Self::magic_of(&network_id);
        let (name, address_prefix) = (name.to_owned(), prefix.to_owned());
        Self { name, retarget, min_difficulty, genesis, network_id, magic, rpc_port, peer_port, address_prefix }
    }
}

/// "bloomcoin main, rehearsal", attempt 5 842 249.
const MAIN_GENESIS: &str = "\
    0100000000000000000000000000000000000000000000000000000000000000000000000000000000000000a7742f533174\
    9bda1c361283ef06f28e5b173656f575ad8bd27c3f9a840f857b8030026b0000000000000000001000000000000000000000\
    e3b60300000000000100000059050000cb7d110084e0eaff0b8a82a037c3a7883a450a08e9294fbca6891dec15bc97f210a8\
    a19ba6a160a601000000000000000000000019000000626c6f6f6d636f696e206d61696e2c2072656865617273616c000000\
    0000000000";

/// "bloomcoin test, rehearsal", attempt 12 612.
const TEST_GENESIS: &str = "\
    010000000000000000000000000000000000000000000000000000000000000000000000000000000000000059e011708d8e\
    d3f9b57448e0458f3193a6b24dbb6b1ea1d6626ab555978ac8fc8030026b0000000000000000100000000000000000000000\
    0d02000000000000ebc87f99510600000ccffffff87d1b00ee2cd1e962474ab4bfcd875f9e0d8f92fdde5cde47f97c443e23\
    6138a00aa0b501000000000000000000000019000000626c6f6f6d636f696e20746573742c2072656865617273616c000000\
    0000000000";

/// "bloomcoin dev", attempt 1.
const DEV_GENESIS: &str = "\
    010000000000000000000000000000000000000000000000000000000000000000000000000000000000000059b1f0d6a9eb\
    552e0ebe86a8fbf4399f81987ed620094903358c353a2c5c9f3100e10b5e0000000000004000000000000000000000000000\
    00000000000000000100000005020000a3a5e6ff8f2af5ff89e1e8c9e207e2761b0ef4ba7fbbc5673face23d60257fa47c43\
    7cea59ead6f00100000000000000000000000d000000626c6f6f6d636f696e206465760000000000000000";
