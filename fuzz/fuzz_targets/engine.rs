#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloom_fuzz::engine::play(bytes);
});
