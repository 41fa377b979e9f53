#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pso_logscan::fuzzing::json(data));
