//! What must hold of who is let in, sought and thrown out.

mod bans;
mod budget;
mod clock;
mod gossip;
mod greeting;
mod inbound;
mod rig;
mod slots;
mod storm;
