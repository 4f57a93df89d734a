//! What one packet costs, without the kernel: `cargo bench -p estrade-benches`.
//!
//! Each figure is the median over rounds of 64 packets that were prepared before the clock was read,
//! so no copy or refill is in it unless the kernel's name says so. Single thread, warm cache.

mod forward;
mod packets;
mod room;
mod srtp;
mod timing;

#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
fn main() {
    println!("{:<52} {:>10}", "kernel", "ns/packet");
    for (name, ns) in srtp::run()
        .into_iter()
        .chain(forward::run())
        .chain(room::run())
    {
        println!("{name:<52} {ns:>10.1}");
    }
}
