//! `bloom tx`: what a transaction says, and that it is in a block.

mod proof_file;

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use bloom_chain::{ProveError, SearchProgress};
use bloom_consensus::{Height, Included, Output, Params, PaymentProof, Proven, Transaction, Txid, address};
use bloom_kernel::Batch;
use bloom_node::control::{ControlError, Request, ask};
use bloom_wallet::proposal::{MOST_PROPOSAL_BYTES, Proposal, ProposalError};
use serde_json::{Value, json};

use crate::cli::{TxAction, TxArgs};
use crate::context::{backend, cancel_on, network, open_chain, open_file, stop_on_interrupt, usage};
use crate::live::LiveLine;
use crate::output::{counted, note, result};

/// The bytes of the longest transaction, in digits, with an end of line.
const MAX_FILE_BYTES: u64 = 2 * (1 << 20) + 2;

pub(crate) fn run(args: &TxArgs) -> Result<()> {
    match &args.action {
        TxAction::Decode { transaction } => decode(&network(&args.place.network)?, transaction, args.json),
        TxAction::Send { transaction } => {
            let (params, directory) = args.place.resolve()?;
            send(&params, &directory, transaction, args.json)
        }
        TxAction::Prove { txid, out, height, confirmations } => {
            let (params, directory) = args.place.resolve()?;
            let wanted = Wanted { txid, height: height.map(Height), confirmations: *confirmations };
            prove(&params, &directory, &wanted, out.as_deref())
        }
        TxAction::Verify { proof } => verify(&args.place.network, proof, args.json),
    }
}

/// The transaction in digits or a file.
fn transaction(text: &str) -> Result<Transaction> {
    let bytes = match hex::decode(text) {
        Ok(bytes) => bytes,
        Err(_) => read_up_to(Path::new(text), MAX_FILE_BYTES)?,
    };
    Transaction::decode(&bytes).context("not a transaction")
}

/// What is to be sent: a transaction, or the payment file of one that all have signed.
fn signed(params: &Params, text: &str) -> Result<Transaction> {
    if hex::decode(text).is_ok() {
        return transaction(text);
    }
    let bytes = read_up_to(Path::new(text), MOST_PROPOSAL_BYTES as u64)?;
    match Proposal::decode(params, &bytes) {
        Err(ProposalError::NotAProposal | ProposalError::TooLong { .. }) => {
            Transaction::decode(&bytes).context("neither a transaction nor a payment file")
        }
        decoded => {
            let proposal = decoded.with_context(|| text.to_owned())?;
            proposal.transaction().with_context(|| text.to_owned())
        }
    }
}

fn send(params: &Params, directory: &Path, text: &str, json: bool) -> Result<()> {
    let transaction = hex::encode(signed(params, text)?.encode());
    let answer = ask(directory, &Request::Submit { transaction }).map_err(|error| match error {
        ControlError::NotRunning { .. } => anyhow!("{error}: start one with `bloom node`"),
        error => error.into(),
    })?;
    if json {
        return Ok(result(answer)?);
    }
    let was = if answer["known"] == true { "waited already" } else { "was taken, and is passed on" };
    Ok(result(format_args!("{} {was}", answer["txid"].as_str().unwrap_or("the transaction")))?)
}

fn decode(params: &Params, text: &str, json: bool) -> Result<()> {
    let transaction = transaction(text)?;
    let body = transaction.body();
    if json {
        let inputs: Vec<Value> =
            body.inputs().iter().map(|i| json!({"txid": i.txid.to_string(), "index": i.index})).collect();
        return Ok(result(json!({"txid": transaction.txid().to_string(), "wtxid": transaction.wtxid().to_string(),
            "bytes": transaction.encoded_len(), "not_before": body.not_before().0.to_string(), "inputs": inputs,
            "outputs": outputs_json(params, body.outputs())}))?);
    }
    result(format_args!("transaction {}", transaction.txid()))?;
    result(format_args!("witness     {}", transaction.wtxid()))?;
    result(format_args!("size        {} bytes", transaction.encoded_len()))?;
    if body.not_before() > Height::GENESIS {
        result(format_args!("not before  height {}", body.not_before()))?;
    }
    for input in body.inputs() {
        result(format_args!("spends      {input}"))?;
    }
    print_outputs(params, body.outputs())
}

/// Hexadecimal digits in a file, or the bytes themselves.
fn read_up_to(path: &Path, most: u64) -> Result<Vec<u8>> {
    let file = open_file(path).map_err(|error| {
        usage(format!("{}: neither hexadecimal digits nor a file that can be opened ({error})", path.display()))
    })?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > most {
        bail!("{}: expected a transaction, which has at most 1 MiB", path.display());
    }
    Ok(hex::decode(bytes.trim_ascii()).unwrap_or(bytes))
}

/// The well-known network that a proof names, unless another than the one that goes without saying was asked for.
fn network_of(proof: &PaymentProof, name: &str) -> Result<Params> {
    let asked = network(name)?;
    let named = Params::well_known().into_iter().find(|params| params.network_id == proof.network_id);
    Ok(if asked == Params::dev() { named.unwrap_or(asked) } else { asked })
}

/// What is to be proven.
struct Wanted<'a> {
    txid: &'a str,
    height: Option<Height>,
    confirmations: u64,
}

fn prove(params: &Params, directory: &Path, wanted: &Wanted<'_>, out: Option<&Path>) -> Result<()> {
    let txid: Txid = wanted.txid.parse().map_err(|error| usage(format!("transaction id: {error}")))?;
    let chain = open_chain(directory, params, backend(None)?, false)?;
    let cancel = cancel_on(stop_on_interrupt()?);
    let live = LiveLine::new(out.is_some());
    let mut show = |SearchProgress { height }| live.show(|| format!("searching height {height}"));
    let confirmations = usize::try_from(wanted.confirmations).context("headers")?;
    let proof = chain.prove(&txid, wanted.height, confirmations, &mut show, &cancel).map_err(|error| match error {
        ProveError::Height { .. } => usage(format!("--height: {error}")),
        error => error.into(),
    })?;
    live.clear();
    let text = proof_file::write(&proof)?;
    let Some(path) = out else { return Ok(result(text.trim_end())?) };
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
            usage(format!("cannot make {}: {error}; choose a name that no file has", path.display()))
        })?;
    if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        let _ = fs::remove_file(path); // a part of it is of no use
        return Err(error).with_context(|| format!("cannot write {}", path.display()));
    }
    note(format_args!(
        "proof of {txid} at height {} with {} written to {}",
        proof.headers[0].template.height,
        counted(proof.headers.len(), "block"),
        path.display()
    ));
    Ok(())
}

fn verify(name: &str, path: &Path, json: bool) -> Result<()> {
    let proof = proof_file::read(path)?;
    let params = &network_of(&proof, name)?;
    let mut batch = Box::new(Batch::new(backend(None)?));
    let Proven { block, height, timestamp, confirmations, work } = proof.verify(params, &mut batch)?;
    let (txid, outputs) = (proof.included.txid(), proof.included.outputs());
    let is_coinbase = matches!(proof.included, Included::Coinbase(_));
    if json {
        result(json!({"network": params.name, "txid": txid.to_string(), "coinbase": is_coinbase,
            "block": block.to_string(), "height": height.0, "timestamp": timestamp.0,
            "confirmations": confirmations, "work": work.to_string(), "outputs": outputs_json(params, outputs)}))?;
    } else {
        result(format_args!("network     {}", params.name))?;
        result(format_args!("{} {txid}", if is_coinbase { "coinbase   " } else { "transaction" }))?;
        print_outputs(params, outputs)?;
        result(format_args!("block       {block}"))?;
        result(format_args!("height      {height}, by its header"))?;
        let blocks = counted(confirmations, "block");
        result(format_args!("confirmed   by {blocks}, its own included, of work {work} / 2^24"))?;
    }
    note(format_args!(
        "proven: it is in that block, and the work of those blocks was done, at the difficulties of {} as far as their headers tell",
        params.name
    ));
    note(
        "not proven: that these blocks stand on the network's genesis and are valid, and that no heavier chain leaves them out",
    );
    Ok(())
}

fn print_outputs(params: &Params, outputs: &[Output]) -> Result<()> {
    for output in outputs {
        result(format_args!("pays        {} BLOOM to {}", output.amount, pay_to(params, output)))?;
    }
    Ok(())
}

fn outputs_json(params: &Params, outputs: &[Output]) -> Vec<Value> {
    let output = |o: &Output| json!({"amount": o.amount.units().to_string(), "key": o.key.to_string(), "address": pay_to(params, o)});
    outputs.iter().map(output).collect()
}

fn pay_to(params: &Params, output: &Output) -> String {
    // Every network's prefix was checked when the network was defined.
    address::encode(&params.address_prefix, &output.key).unwrap_or_else(|_| output.key.to_string())
}
