//! The one encoding of a proposal: binary, little-endian, counts as u32, like everything that the law encodes.
//!
//! ```text
//! magic 8 "bloomsig" ‖ version u32 = 1 ‖ network_id 32 ‖ length u32 ‖ body
//! s u32 ‖ s × (kind u8: 0 transaction, 1 coinbase ‖ length u32 ‖ its body, or the coinbase)       ascending by id
//! for each input: 0 u8 ‖ path ‖ signed u8 ‖ signature 64 if signed
//!              or 1 u8 ‖ cosigners ‖ for each: rounds u8 ‖ public nonce 66 from 1 on ‖ partial signature 32 from 2 on
//! c u32 ‖ c × (output u32 ‖ 0 u8 ‖ path   or   1 u8 ‖ cosigners)                                  ascending by output
//! checksum = derive_key("bloomcoin v1 proposal", all before)
//!
//! path = account u32 ‖ chain u8 ‖ index u32        cosigners = count u8 ‖ count × public key 33, ascending
//! ```

use bloom_consensus::{Body, Coinbase, NetworkId, Params};
use secp256k1::PublicKey;
use secp256k1::musig::{PartialSignature, PublicNonce};

use super::check::{Parts, check};
use super::{Change, Owner, Proposal, ProposalError, Share, Signing, Source};
use crate::keys::{KeyChain, KeyPath};
use crate::shared::{Cosigners, CosignersError, MOST_COSIGNERS};

/// Most bytes of a proposal: far more than one that spends from ordinary transactions has.
pub const MOST_PROPOSAL_BYTES: usize = 8 << 20;

const MAGIC: [u8; 8] = *b"bloomsig";
const VERSION: u32 = 1;
const CHECKSUM_BYTES: usize = 32;
/// kind ‖ length ‖ the least body or coinbase.
const LEAST_SOURCE_BYTES: usize = 1 + 4 + 20;
/// output ‖ kind ‖ path.
const LEAST_CHANGE_BYTES: usize = 4 + 1 + PATH_BYTES;
const PATH_BYTES: usize = 4 + 1 + 4;

impl Proposal {
    /// The one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_le_bytes());
        out.extend(self.network.0);
        sized(&mut out, &self.body.encode());
        count(&mut out, self.sources.len());
        for source in &self.sources {
            let (kind, bytes) = match source {
                Source::Transaction(body) => (0, body.encode()),
                Source::Coinbase(coinbase) => (1, coinbase.encode()),
            };
            out.push(kind);
            sized(&mut out, &bytes);
        }
        for signing in &self.signing {
            write_signing(&mut out, signing);
        }
        count(&mut out, self.change.len());
        for Change { output, owner } in &self.change {
            out.extend(output.to_le_bytes());
            match owner {
                Owner::Path(path) => {
                    out.push(0);
                    write_path(&mut out, path);
                }
                Owner::Shared(cosigners) => {
                    out.push(1);
                    write_cosigners(&mut out, cosigners);
                }
            }
        }
        out.extend(checksum(&out));
        out
    }

    /// Reads a proposal and checks everything in it that needs no key.
    ///
    /// # Errors
    /// [`ProposalError`], for each fault its own.
    pub fn decode(params: &Params, bytes: &[u8]) -> Result<Self, ProposalError> {
        if bytes.len() > MOST_PROPOSAL_BYTES {
            return Err(ProposalError::TooLong { got: bytes.len() });
        }
        let mut reader = Reader(bytes.strip_prefix(&MAGIC).ok_or(ProposalError::NotAProposal)?);
        match reader.u32("version")? {
            VERSION => {}
            got => return Err(ProposalError::Version { got }),
        }
        let told = reader.cut_off_checksum()?;
        if checksum(&bytes[..bytes.len() - CHECKSUM_BYTES]) != told {
            return Err(ProposalError::Checksum);
        }
        let parts = reader.parts()?;
        reader.finish()?;
        check(params, parts)
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    blake3::derive_key("bloomcoin v1 proposal", bytes)
}

fn count(out: &mut Vec<u8>, count: usize) {
    out.extend(u32::try_from(count).expect("a proposal has fewer than 2³² parts").to_le_bytes());
}

fn sized(out: &mut Vec<u8>, bytes: &[u8]) {
    count(out, bytes.len());
    out.extend(bytes);
}

fn write_signing(out: &mut Vec<u8>, signing: &Signing) {
    match signing {
        Signing::Single { path, signature } => {
            out.push(0);
            write_path(out, path);
            out.push(u8::from(signature.is_some()));
            out.extend(signature.iter().flatten());
        }
        Signing::Shared { cosigners, shares } => {
            out.push(1);
            write_cosigners(out, cosigners);
            for share in shares {
                let (rounds, nonce, partial) = match share {
                    Share::Absent => (0, None, None),
                    Share::Nonce(nonce) => (1, Some(nonce), None),
                    Share::Signed(nonce, partial) => (2, Some(nonce), Some(partial)),
                };
                out.push(rounds);
                out.extend(nonce.iter().flat_map(|nonce| nonce.serialize()));
                out.extend(partial.iter().flat_map(|partial| partial.serialize()));
            }
        }
    }
}

fn write_path(out: &mut Vec<u8>, path: &KeyPath) {
    out.extend(path.account.to_le_bytes());
    out.push(match path.chain {
        KeyChain::Receive => 0,
        KeyChain::Change => 1,
    });
    out.extend(path.index.to_le_bytes());
}

fn write_cosigners(out: &mut Vec<u8>, cosigners: &Cosigners) {
    out.push(u8::try_from(cosigners.keys().len()).expect("there are at most 16 cosigners"));
    out.extend(cosigners.keys().iter().flat_map(PublicKey::serialize));
}

/// The bytes not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn parts(&mut self) -> Result<Parts, ProposalError> {
        let network = NetworkId(self.array("network")?);
        let decoded = |what| move |error| ProposalError::Decode { what, error };
        let body = Body::decode(self.sized("body")?).map_err(decoded("body"))?;
        let sources = self.count("origin", LEAST_SOURCE_BYTES)?;
        let sources = (0..sources)
            .map(|_| match self.u8("kind of an origin")? {
                0 => Ok(Source::Transaction(Body::decode(self.sized("origin")?).map_err(decoded("origin"))?)),
                1 => Ok(Source::Coinbase(Coinbase::decode(self.sized("origin")?).map_err(decoded("origin"))?)),
                got => Err(ProposalError::Kind { what: "kind of an origin", got: got.into() }),
            })
            .collect::<Result<_, _>>()?;
        // As many as the body has inputs, which were read from as many bytes.
        let signing = body.inputs().iter().map(|_| self.signing()).collect::<Result<_, _>>()?;
        let change = self.count("change", LEAST_CHANGE_BYTES)?;
        let change = (0..change)
            .map(|_| Ok(Change { output: self.u32("change")?, owner: self.owner()? }))
            .collect::<Result<_, ProposalError>>()?;
        Ok(Parts { network, body, sources, signing, change })
    }

    fn signing(&mut self) -> Result<Signing, ProposalError> {
        match self.owner()? {
            Owner::Path(path) => {
                let signature = match self.u8("signature")? {
                    0 => None,
                    1 => Some(self.array("signature")?),
                    got => return Err(ProposalError::Kind { what: "presence of a signature", got: got.into() }),
                };
                Ok(Signing::Single { path, signature })
            }
            Owner::Shared(cosigners) => {
                let shares = cosigners.keys().iter().map(|_| self.share()).collect::<Result<_, _>>()?;
                Ok(Signing::Shared { cosigners, shares })
            }
        }
    }

    fn share(&mut self) -> Result<Share, ProposalError> {
        match self.u8("rounds of a cosigner")? {
            0 => Ok(Share::Absent),
            1 => Ok(Share::Nonce(self.nonce()?)),
            2 => Ok(Share::Signed(self.nonce()?, self.partial()?)),
            got => Err(ProposalError::Kind { what: "rounds of a cosigner", got: got.into() }),
        }
    }

    fn nonce(&mut self) -> Result<PublicNonce, ProposalError> {
        let malformed = |_| ProposalError::Malformed { what: "public nonce" };
        PublicNonce::from_byte_array(&self.array("public nonce")?).map_err(malformed)
    }

    fn partial(&mut self) -> Result<PartialSignature, ProposalError> {
        let malformed = |_| ProposalError::Malformed { what: "partial signature" };
        PartialSignature::from_byte_array(&self.array("partial signature")?).map_err(malformed)
    }

    fn owner(&mut self) -> Result<Owner, ProposalError> {
        match self.u8("kind of an owner")? {
            0 => Ok(Owner::Path(self.path()?)),
            1 => Ok(Owner::Shared(self.cosigners()?)),
            got => Err(ProposalError::Kind { what: "kind of an owner", got: got.into() }),
        }
    }

    fn path(&mut self) -> Result<KeyPath, ProposalError> {
        let account = self.number("account")?;
        let chain = match self.u8("chain of a path")? {
            0 => KeyChain::Receive,
            1 => KeyChain::Change,
            got => return Err(ProposalError::Kind { what: "chain of a path", got: got.into() }),
        };
        Ok(KeyPath { account, chain, index: self.number("index")? })
    }

    /// A number of a path: below 2³¹, where BIP-32's hardened ones begin.
    fn number(&mut self, what: &'static str) -> Result<u32, ProposalError> {
        match self.u32(what)? {
            got if got >> 31 == 0 => Ok(got),
            got => Err(ProposalError::Kind { what, got }),
        }
    }

    /// In the order in which they are aggregated: another would be another encoding of the same.
    fn cosigners(&mut self) -> Result<Cosigners, ProposalError> {
        let count = self.u8("cosigners")?;
        if usize::from(count) > MOST_COSIGNERS {
            return Err(CosignersError::Count { got: count.into() }.into());
        }
        let malformed = |_| ProposalError::Malformed { what: "cosigner's key" };
        let key = |_| PublicKey::from_byte_array_compressed(self.array("cosigner's key")?).map_err(malformed);
        let keys: Vec<_> = (0..count).map(key).collect::<Result<_, _>>()?;
        let cosigners = Cosigners::new(keys.clone())?;
        if cosigners.keys() != keys {
            return Err(ProposalError::Malformed { what: "order of cosigners' keys" });
        }
        Ok(cosigners)
    }

    fn sized(&mut self, what: &'static str) -> Result<&'a [u8], ProposalError> {
        let length = self.count(what, 1)?;
        let (head, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(head)
    }

    /// A count that the bytes left can hold: what is allocated for it is bounded by the file.
    fn count(&mut self, what: &'static str, item_bytes: usize) -> Result<usize, ProposalError> {
        let (got, most) = (self.u32(what)?, self.0.len() / item_bytes);
        match usize::try_from(got) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(ProposalError::Count { what, got, most }),
        }
    }

    fn u8(&mut self, what: &'static str) -> Result<u8, ProposalError> {
        self.array(what).map(|[byte]| byte)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, ProposalError> {
        self.array(what).map(u32::from_le_bytes)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ProposalError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(ProposalError::Length { what })?;
        self.0 = rest;
        Ok(*head)
    }

    fn cut_off_checksum(&mut self) -> Result<[u8; CHECKSUM_BYTES], ProposalError> {
        let (rest, checksum) = self.0.split_last_chunk().ok_or(ProposalError::Length { what: "checksum" })?;
        self.0 = rest;
        Ok(*checksum)
    }

    fn finish(&self) -> Result<(), ProposalError> {
        if self.0.is_empty() { Ok(()) } else { Err(ProposalError::Length { what: "end" }) }
    }
}
