//! The ratios of a record as a picture: a bar per row and number of threads, to the right where Trueno is faster.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::record::{Record, Timing};

/// Pixels: of the whole width, of what row names take, of a row, and of what is above and below the rows.
const WIDTH: i32 = 900;
const NAMES: i32 = 330;
const ROW: i32 = 16;
const MARGIN: i32 = 44;

/// The ratios at both ends of the axis; bars beyond them end there.
const ENDS: [f64; 2] = [0.25, 32.0];

/// One colour per number of threads.
const COLORS: [RGBColor; 2] = [RGBColor(31, 119, 180), RGBColor(255, 127, 14)];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The picture as SVG; the same record makes the same text.
pub fn svg(record: &Record) -> Result<String> {
    let mut counts: Vec<usize> = record.timings.iter().map(|timing| timing.threads).collect();
    counts.sort_unstable();
    counts.dedup();
    let mut rows: Vec<&str> = Vec::new();
    for timing in record.timings.iter().filter(|timing| timing.against_best().is_some()) {
        if !rows.contains(&timing.row.as_str()) {
            rows.push(&timing.row);
        }
    }
    let height = 2 * MARGIN + ROW * rows.len() as i32;
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH as u32, height as u32)).into_drawing_area();
        draw(&area, record, &counts, &rows).map_err(|error| anyhow!("the picture of the ratios: {error}"))?;
        area.present().map_err(|error| anyhow!("the picture of the ratios: {error}"))?;
    }
    Ok(text)
}

fn draw(area: &Area, record: &Record, counts: &[usize], rows: &[&str]) -> Result<(), Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    axis(area, rows.len() as i32)?;
    for (&threads, color) in counts.iter().zip(COLORS) {
        let at = NAMES + 20 + 110 * (threads as i32 - 1);
        area.draw(&Rectangle::new([(at, 8), (at + 12, 16)], color.filled()))?;
        let plural = if threads == 1 { "" } else { "s" };
        write(area, &format!("{threads} thread{plural}"), (at + 18, 12), HPos::Left)?;
    }
    let thick = (ROW - 4) / counts.len().max(1) as i32;
    for (number, row) in rows.iter().enumerate() {
        let top = MARGIN + ROW * number as i32;
        write(area, row, (NAMES - 8, top + ROW / 2), HPos::Right)?;
        for (place, (&threads, color)) in counts.iter().zip(COLORS).enumerate() {
            let timing = record.timings.iter().find(|timing| timing.row == *row && timing.threads == threads);
            let Some(ratio) = timing.and_then(Timing::against_best).map(|time| 1.0 / time) else { continue };
            let (from, to) = (column(1.0).min(column(ratio)), column(1.0).max(column(ratio)));
            let y = top + 2 + thick * place as i32;
            area.draw(&Rectangle::new([(from, y), (to, y + thick)], color.filled()))?;
        }
    }
    Ok(())
}

/// Lines at the powers of two, with their figures above and below.
fn axis(area: &Area, rows: i32) -> Result<(), Box<dyn std::error::Error>> {
    let (top, bottom) = (MARGIN, MARGIN + ROW * rows);
    let mut ratio = ENDS[0];
    while ratio <= ENDS[1] {
        let style = if ratio == 1.0 { BLACK.stroke_width(1) } else { RGBColor(210, 210, 210).stroke_width(1) };
        area.draw(&PathElement::new([(column(ratio), top), (column(ratio), bottom)], style))?;
        for y in [top - 10, bottom + 10] {
            write(area, &format!("{ratio}x"), (column(ratio), y), HPos::Center)?;
        }
        ratio *= 2.0;
    }
    let caption = "time of the fastest peer over Trueno's: right of 1x, Trueno is faster";
    write(area, caption, ((NAMES + WIDTH) / 2, bottom + 28), HPos::Center)
}

/// Where a ratio is, from left to right.
fn column(ratio: f64) -> i32 {
    let [least, most] = ENDS.map(f64::ln);
    let share = (ratio.clamp(ENDS[0], ENDS[1]).ln() - least) / (most - least);
    NAMES + 10 + (share * f64::from(WIDTH - NAMES - 40)).round() as i32
}

fn write(area: &Area, text: &str, at: (i32, i32), side: HPos) -> Result<(), Box<dyn std::error::Error>> {
    let style = TextStyle::from(("sans-serif", 11).into_font()).pos(Pos::new(side, VPos::Center));
    Ok(area.draw_text(text, &style, at)?)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::example;
    use super::*;

    #[test]
    fn every_row_with_a_peer_has_its_name_and_a_bar() {
        let text = svg(&example()).unwrap();
        assert!(text.contains("add 1M") && text.contains("sum 1M") && text.contains("1 thread"), "{text}");
        // One bar in the legend, and one for each of the two rows; the rest are the background and its outline.
        assert_eq!(text.matches("fill=\"#1F77B4\"").count(), 3, "{text}");
        assert_eq!(text, svg(&example()).unwrap());
    }

    #[test]
    fn faster_is_to_the_right_and_the_ends_hold_the_rest() {
        assert!(column(2.0) > column(1.0) && column(0.5) < column(1.0));
        assert_eq!(column(1e9), column(ENDS[1]));
        // Half the speed is as far to the left as twice the speed is to the right, but for rounding.
        assert!((column(2.0) - 2 * column(1.0) + column(0.5)).abs() <= 1);
    }
}
