//! What must hold of who is let in, sought and thrown out.

mod greeting;
