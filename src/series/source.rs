//! Bytes by offset: from a file, from memory, or inflated on the way.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::DeflateDecoder;

/// A header that inflates to more than this is refused: none comes near it, and a bomb must not
/// eat the memory.
pub(crate) const MAX_INFLATED_HEADER: u64 = 64 << 20;

/// Bytes that can be read at any offset.
pub(crate) trait ByteSource {
    /// Fills `buffer` from `offset` on; gives the number of bytes read, fewer only at the end.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Number of bytes, if it is known without reading all.
    fn known_len(&self) -> Option<u64>;
}

/// A file.
pub(crate) struct FileSource {
    file: File,
    len: u64,
}

impl FileSource {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self { file, len })
    }
}

#[cfg(unix)]
fn read_once(file: &mut File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn read_once(file: &mut File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    use std::io::{Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read(buffer)
}

impl ByteSource for FileSource {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match read_once(&mut self.file, offset + filled as u64, rest) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

/// Bytes in memory.
pub(crate) struct SliceSource<'a>(pub(crate) &'a [u8]);

impl ByteSource for SliceSource<'_> {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let rest = self.0.get(start..).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        Ok(n)
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }
}

/// A deflated data set, inflated as far as it is asked for and kept.
pub(crate) struct InflateSource<'a> {
    decoder: DeflateDecoder<Compressed<'a>>,
    inflated: Vec<u8>,
    limit: u64,
    ended: bool,
}

/// The compressed bytes of another source from an offset on.
struct Compressed<'a> {
    source: &'a mut dyn ByteSource,
    at: u64,
}

impl Read for Compressed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read_at(self.at, buffer)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl<'a> InflateSource<'a> {
    /// Inflates what `source` holds from `at` on, up to `limit` bytes.
    pub(crate) fn new(source: &'a mut dyn ByteSource, at: u64, limit: u64) -> Self {
        let decoder = DeflateDecoder::new(Compressed { source, at });
        Self { decoder, inflated: Vec::new(), limit, ended: false }
    }
}

impl ByteSource for InflateSource<'_> {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let end = offset.saturating_add(buffer.len() as u64);
        while !self.ended && (self.inflated.len() as u64) < end {
            if self.inflated.len() as u64 >= self.limit {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("the deflated data set exceeds {} bytes", self.limit),
                ));
            }
            let mut chunk = [0; 1 << 14];
            // A damaged stream ends where it breaks: what came before it is still good.
            match self.decoder.read(&mut chunk) {
                Ok(0) | Err(_) => self.ended = true,
                Ok(n) => {
                    let chunk = chunk.get(..n).unwrap_or_default();
                    self.inflated
                        .try_reserve(chunk.len())
                        .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
                    self.inflated.extend_from_slice(chunk);
                }
            }
        }
        SliceSource(&self.inflated).read_at(offset, buffer)
    }

    fn known_len(&self) -> Option<u64> {
        None
    }
}

/// A moving window over a source, so that a header is read in few system calls.
pub(crate) struct Window<'a> {
    source: &'a mut dyn ByteSource,
    buffer: Vec<u8>,
    start: u64,
    next_read: usize,
}

impl<'a> Window<'a> {
    pub(crate) fn new(source: &'a mut dyn ByteSource) -> Self {
        // Most headers fit 4 KiB; longer ones are read in larger steps.
        Self { source, buffer: Vec::new(), start: 0, next_read: 4096 }
    }

    pub(crate) fn known_len(&self) -> Option<u64> {
        self.source.known_len()
    }

    /// The `count` bytes at `at`; fewer at the end of the source.
    pub(crate) fn bytes(&mut self, at: u64, count: usize) -> io::Result<&[u8]> {
        let inside = at >= self.start
            && at.saturating_add(count as u64) <= self.start + self.buffer.len() as u64;
        if !inside {
            let wanted = count.max(self.next_read);
            self.next_read = 1 << 16;
            self.buffer
                .try_reserve(wanted.saturating_sub(self.buffer.len()))
                .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            self.buffer.resize(wanted, 0);
            let read = self.source.read_at(at, &mut self.buffer)?;
            self.buffer.truncate(read);
            self.start = at;
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX).min(self.buffer.len());
        let to = from.saturating_add(count).min(self.buffer.len());
        Ok(self.buffer.get(from..to).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_deflate_bomb_stops_at_the_limit() {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        let mut slice = SliceSource(&bomb);
        let mut source = InflateSource::new(&mut slice, 0, 1 << 17);
        let mut buffer = [0; 16];
        assert_eq!(source.read_at(1000, &mut buffer).unwrap(), 16);
        assert!(source.read_at(1 << 19, &mut buffer).is_err());
    }

    #[test]
    fn the_window_gives_fewer_bytes_only_at_the_end() {
        let data: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let mut slice = SliceSource(&data);
        let mut window = Window::new(&mut slice);
        assert_eq!(window.bytes(4090, 12).unwrap(), &data[4090..4102]);
        assert_eq!(window.bytes(10, 4).unwrap(), &data[10..14]);
        assert_eq!(window.bytes(9_998, 12).unwrap(), &data[9_998..]);
        assert!(window.bytes(20_000, 12).unwrap().is_empty());
    }
}
