//! The learning curve as a picture.

use super::history::Epoch;
use plotters::prelude::*;
use std::path::Path;

/// Draws loss (left axis) and accuracies (right axis) over the epochs.
pub fn draw(title: &str, epochs: &[Epoch], path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::new(path, (800, 480)).into_drawing_area();
    area.fill(&WHITE)?;
    let points = |value: fn(&Epoch) -> f64| epochs.iter().enumerate().map(move |(i, e)| (i as f64 + 1.0, value(e)));
    let most = epochs.iter().map(|e| e.loss).fold(1e-3, f64::max);
    let least = epochs.iter().map(|e| e.train_accuracy.min(e.test_accuracy)).fold(0.99, f64::min);
    let last = (epochs.len() as f64).max(2.0);
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .caption(title, ("sans-serif", 20))
        .x_label_area_size(36)
        .y_label_area_size(56)
        .right_y_label_area_size(56)
        .build_cartesian_2d(1.0..last, 0.0..most * 1.05)?
        .set_secondary_coord(1.0..last, least..1.0);
    chart.configure_mesh().x_desc("epoch").y_desc("training loss").x_label_formatter(&|x| format!("{x:.0}")).draw()?;
    let percent = |y: &f64| format!("{:.1} %", y * 100.0);
    chart.configure_secondary_axes().y_desc("accuracy").y_label_formatter(&percent).draw()?;
    let loss = chart.draw_series(LineSeries::new(points(|e| e.loss), BLACK.stroke_width(2)))?;
    loss.label("training loss").legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], BLACK.stroke_width(2)));
    for (label, color, value) in [
        ("training accuracy", BLUE, (|e| e.train_accuracy) as fn(&Epoch) -> f64),
        ("test accuracy", RED, |e| e.test_accuracy),
    ] {
        let line = chart.draw_secondary_series(LineSeries::new(points(value), color.stroke_width(2)))?;
        line.label(label).legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
    }
    let place = SeriesLabelPosition::MiddleRight;
    chart.configure_series_labels().position(place).background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}
