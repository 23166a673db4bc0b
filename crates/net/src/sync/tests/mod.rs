//! Catching up with puppets that deliver, lie and stall.
