//! A text as a QR picture at level M: SVG for screens, PNG for print, blocks for a terminal. What
//! the text means is not known here.

use qrcode::{Color, EcLevel, QrCode, Version, render::svg};

use crate::error::{Error, Result};

/// The light border that a reader needs (ISO/IEC 18004).
const QUIET: usize = 4;
/// The largest side of a PNG: more is a mistake of the caller.
const PNG_SIDE_PX_MAX: u32 = 4_096;

/// A picture.
pub struct QrPicture {
    code: QrCode,
}

impl QrPicture {
    /// Draws the text in the smallest version that holds it.
    pub fn of(text: &str) -> Result<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M);
        Ok(Self { code: code.map_err(Error::internal)? })
    }

    /// The version, 1 to 40.
    #[must_use]
    pub fn version(&self) -> u8 {
        match self.code.version() {
            Version::Normal(version) | Version::Micro(version) => {
                u8::try_from(version).unwrap_or(u8::MAX)
            }
        }
    }

    /// For a screen.
    #[must_use]
    pub fn svg(&self) -> String {
        self.code.render::<svg::Color<'_>>().min_dimensions(240, 240).build()
    }

    /// For print: each module so many pixels wide.
    pub fn png(&self, module_px: u32) -> Result<Vec<u8>> {
        let modules = u32::try_from(self.side()).map_err(Error::internal)?;
        let side = modules.saturating_mul(module_px);
        if module_px == 0 || side > PNG_SIDE_PX_MAX {
            return Err(Error::internal("a QR picture of an impossible size"));
        }
        let scale = usize::try_from(module_px).map_err(Error::internal)?;
        let mut pixels = Vec::new();
        for y in 0..self.side() {
            let mut row = Vec::new();
            for x in 0..self.side() {
                let shade = if self.dark(x, y) { 0 } else { 255 };
                row.extend(std::iter::repeat_n(shade, scale));
            }
            for _ in 0..scale {
                pixels.extend_from_slice(&row);
            }
        }
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(Error::internal)?;
        writer.write_image_data(&pixels).map_err(Error::internal)?;
        writer.finish().map_err(Error::internal)?;
        Ok(bytes)
    }

    /// For a terminal: two modules per character.
    #[must_use]
    pub fn terminal(&self) -> String {
        let mut text = String::new();
        for y in (0..self.side()).step_by(2) {
            for x in 0..self.side() {
                // Light on a dark terminal: the light modules are drawn.
                text.push(match (self.dark(x, y), self.dark(x, y.saturating_add(1))) {
                    (false, false) => '█',
                    (false, true) => '▀',
                    (true, false) => '▄',
                    (true, true) => ' ',
                });
            }
            text.push('\n');
        }
        text
    }

    /// Modules on a side, with the border.
    fn side(&self) -> usize {
        self.code.width().saturating_add(2 * QUIET)
    }

    fn dark(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < self.code.width());
        match (inside(x), inside(y)) {
            (Some(x), Some(y)) => matches!(self.code[(x, y)], Color::Dark),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::QrPicture;

    /// Reads a picture with a reader that is not ours.
    fn read(width: usize, height: usize, shade: impl FnMut(usize, usize) -> u8) -> String {
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, shade);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    const TEXT: &str = "TP1:6BFOXN%TSMAHN-HOVSCF6H 2DNTB$XS1L8VDPRQC3O6G9JLNR5G";

    #[test]
    fn another_reader_reads_the_png_back() {
        let png = QrPicture::of(TEXT).unwrap().png(6).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let (width, height) = (info.width as usize, info.height as usize);
        assert_eq!(read(width, height, |x, y| pixels[y * width + x]), TEXT);
    }

    #[test]
    fn another_reader_reads_the_terminal_back() {
        let picture = QrPicture::of(TEXT).unwrap();
        let rows: Vec<Vec<char>> =
            picture.terminal().lines().map(|row| row.chars().collect()).collect();
        let shade = |x: usize, y: usize| {
            let (x, y) = (x / 4, y / 4);
            let light = match rows[y / 2][x] {
                '█' => true,
                '▀' => y % 2 == 0,
                '▄' => y % 2 == 1,
                _ => false,
            };
            if light { 255 } else { 0 }
        };
        let side = picture.side() * 4;
        assert_eq!(read(side, side, shade), TEXT);
    }

    #[test]
    fn a_text_of_base45_is_coded_as_letters_and_digits() {
        // 262 characters fill version 9 at level M in alphanumeric mode; bytes would need 15.
        let text = "A".repeat(262);
        assert_eq!(QrPicture::of(&text).unwrap().version(), 9);
        assert!(QrPicture::of(&"A".repeat(263)).unwrap().version() > 9);
    }
}
