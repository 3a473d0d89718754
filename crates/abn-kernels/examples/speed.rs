use abn_kernels::{InstructionSet, conv::*};
use std::time::Instant;
fn main() {
    let set = match std::env::args().nth(1).as_deref() { Some("avx2") => InstructionSet::Avx2, Some("portable") => InstructionSet::Portable, _ => InstructionSet::best() };
    for (n, c, o, h, k, s) in [(64,16,16,32,3,1),(64,32,32,16,3,1),(64,64,64,8,3,1),(64,64,64,16,3,1),(64,32,64,16,3,2),(16,64,64,56,3,1),(16,512,512,7,3,1),(16,256,64,56,1,1),(16,64,256,56,1,1),(16,1024,256,14,1,1),(16,3,64,224,7,2),(64,3,16,32,3,1),(1,256,256,14,3,1)] {
        let g = Convolution { batch: n, input: [h, h], kernel: [k, k], stride: [s, s], padding_before: [k / 2; 2], padding_after: [k / 2; 2], dilation: [1, 1], channels_in: c, channels_out: o, groups: 1 };
        let x = vec![0.5f32; g.input_len()];
        let mut dx = vec![0.5f32; g.input_len()];
        let w = vec![0.25f32; g.weight_len()];
        let mut dw = vec![0.25f32; g.weight_len()];
        let mut y = vec![0f32; g.output_len()];
        let [oh, ow] = g.output();
        let fl = 2.0 * (n * o * c * k * k * oh * ow) as f64;
        let time = |f: &mut dyn FnMut()| { f(); let mut best = f64::MAX; for _ in 0..10 { let t = Instant::now(); f(); best = best.min(t.elapsed().as_secs_f64()); } fl / best / 1e9 };
        let f = time(&mut || forward(set, &g, &x, &w, Finish::default(), &mut y));
        let b = time(&mut || input_gradient(set, &g, &w, &y, &mut dx));
        let d = time(&mut || weight_gradient(set, &g, &x, &y, &mut dw));
        println!("{:?} fwd {f:.0} dx {b:.0} dw {d:.0}", (n, c, o, h, k, s));
    }
}
