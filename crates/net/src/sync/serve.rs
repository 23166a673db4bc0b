//! What others ask for to catch up: headers and blocks, as much as an answer holds.

use bloom_chain::StoreError;
use bloom_consensus::constants::HEADER_BYTES;
use bloom_consensus::{BlockHash, Header, Height};

use crate::event::ConnId;
use crate::hub::Hub;
use crate::wire::{MAX_BLOCKS_ASKED, MAX_BLOCKS_BYTES, MAX_HEADERS, MAX_LOCATOR, Response};

/// A header is looked up on its own, a body's bytes lie together: it is charged so many times its bytes.
const HEADER_COST: usize = 8;

/// The headers after the first hash of the locator that is on the chain.
pub(super) fn headers(hub: &mut Hub, peer: ConnId, locator: &[BlockHash]) -> Result<Response, StoreError> {
    if !hub.may_answer(peer) {
        return Ok(Response::Busy);
    }
    let chain = hub.chain.chain();
    let mut start = None;
    for hash in locator.iter().take(MAX_LOCATOR) {
        if chain.is_active(hash)? {
            start = chain.header(hash)?;
            break;
        }
    }
    let Some(start) = start else { return Ok(Response::Headers(Vec::new())) };
    let after = start.template.height.0;
    let count = chain.tip().height.0.saturating_sub(after).min(MAX_HEADERS as u64);
    let bytes = usize::try_from(count).unwrap_or(MAX_HEADERS) * HEADER_BYTES;
    if !hub.charge_answer(peer, bytes * HEADER_COST) {
        return Ok(Response::Busy);
    }
    let chain = hub.chain.chain();
    let mut headers: Vec<Header> = Vec::new();
    for height in (after + 1..=after + count).map(Height) {
        let Some(hash) = chain.hash_at(height)? else { break };
        headers.extend(chain.header(&hash)?);
    }
    Ok(Response::Headers(headers))
}

/// A beginning of what was asked for: up to the first that is not had, and no more than an answer holds.
pub(super) fn blocks(hub: &mut Hub, peer: ConnId, hashes: &[BlockHash]) -> Result<Response, StoreError> {
    let (mut blocks, mut bytes) = (Vec::new(), 0);
    for hash in hashes.iter().take(MAX_BLOCKS_ASKED) {
        // Before the block is read: that is the work.
        if !hub.may_answer(peer) {
            return Ok(if blocks.is_empty() { Response::Busy } else { Response::Blocks(blocks) });
        }
        let Some(block) = hub.chain.chain().block(hash)? else { break };
        let length = block.encoded_len();
        if !hub.charge_answer(peer, length) || !blocks.is_empty() && bytes + length > MAX_BLOCKS_BYTES {
            break;
        }
        bytes += length;
        blocks.push(block);
    }
    Ok(if blocks.is_empty() { Response::NotFound } else { Response::Blocks(blocks) })
}
