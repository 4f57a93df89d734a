//! What the fake microphones and cameras play: speech with a pilot tone, a picture of one color.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One person's looks and sound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Material {
    /// A color as ffmpeg and CSS know it.
    pub(crate) color: &'static str,
    /// The same as red, green, blue.
    pub(crate) rgb: [u8; 3],
    /// espeak-ng's voice.
    pub(crate) voice: &'static str,
    /// Hertz of the tone under the speech, by which a receiver tells voices apart.
    pub(crate) pilot_hz: u32,
}

/// Far apart in color and pitch, and no pilot a multiple of another.
pub(crate) const MATERIALS: [Material; 3] = [
    Material {
        color: "red",
        rgb: [255, 0, 0],
        voice: "en-us+m3",
        pilot_hz: 3_100,
    },
    Material {
        color: "lime",
        rgb: [0, 255, 0],
        voice: "en-gb+f2",
        pilot_hz: 4_300,
    },
    Material {
        color: "blue",
        rgb: [0, 0, 255],
        voice: "en+m7",
        pilot_hz: 5_300,
    },
];

const SPEECH: &str = "The stage is small and the audience is large. Whoever speaks is heard by \
    everybody, and the picture follows the voice from one person to the next without a gap, \
    a freeze or a second request.";

impl Material {
    /// The microphone's file: 48 kHz mono, made once.
    pub(crate) fn audio(&self, folder: &Path) -> PathBuf {
        let speech = made(folder.join(format!("{}-speech.wav", self.color)), |file| {
            run(Command::new("espeak-ng")
                .args(["-v", self.voice, "-a", "180", "-w"])
                .arg(file)
                .arg(SPEECH));
        });
        made(folder.join(format!("{}.wav", self.color)), |file| {
            let pilot = format!("sine=frequency={}:sample_rate=48000", self.pilot_hz);
            let mix = "[1]volume=0.25[p];[0]aresample=48000,silenceremove=1:0:-50dB[s];\
                       [s][p]amix=inputs=2:duration=shortest:normalize=0";
            run(ffmpeg()
                .arg("-i")
                .arg(&speech)
                .args(["-f", "lavfi", "-i", &pilot, "-filter_complex", mix])
                .args(["-ac", "1", "-ar", "48000"])
                .arg(file));
        })
    }

    /// The camera's file: 640x360 at 15 frames a second, with a little motion so that encoders work.
    pub(crate) fn video(&self, folder: &Path) -> PathBuf {
        made(folder.join(format!("{}.mjpeg", self.color)), |file| {
            let picture = format!("color=c={}:s=640x360:r=15:d=2", self.color);
            let mover = "color=c=white:s=24x24:r=15:d=2";
            run(ffmpeg()
                .args(["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", mover])
                .args([
                    "-filter_complex",
                    "[0][1]overlay=x='mod(n*12\\,600)':y=8",
                    "-q:v",
                    "3",
                ])
                .arg(file));
        })
    }
}

fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-y"]);
    command
}

/// Makes a file whole or not at all: a broken run leaves nothing that looks finished.
fn made(file: PathBuf, make: impl FnOnce(&Path)) -> PathBuf {
    if !file.exists() {
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let unfinished = file.with_file_name(format!("{}-{name}", std::process::id()));
        make(&unfinished);
        std::fs::rename(&unfinished, &file).expect("the file can be put in place");
    }
    file
}

fn run(command: &mut Command) {
    let line = format!("{command:?}");
    let status = command.status().unwrap_or_else(|error| {
        panic!("{line}: {error}\nRun `cargo xtask setup` to install what the tests need.")
    });
    assert!(status.success(), "{line}: {status}");
}
