//! The constants in which the functions of `f32` and `f64` differ.
//!
//! Polynomials are minimax fits by Remez exchange to the function named, weighted so that the error is relative to
//! the result; the constant coefficient comes first.

/// Constants of the elementary functions for one type.
pub trait Tables: Sized + 'static {
    /// Adding this to a small integer leaves the integer plus the exponent bias in the lowest bits.
    const EXPONENT_ONE: Self;
    /// Adding this to a small integer leaves the integer in the lowest bits.
    const INTEGER_SHIFT: Self;
    /// 2^MANTISSA_BITS: its representation holds a small integer in the lowest bits.
    const INTEGER_BASE: Self;
    /// The exponent bias.
    const BIAS: f64;
    /// Bits of the sign, the exponent and the upper half of the mantissa.
    const UPPER_HALF: Self;
    /// The smallest normal value.
    const MIN_NORMAL: Self;
    /// The power of two that makes any subnormal value normal.
    const SUBNORMAL_SHIFT: i32;

    /// ln 2, short enough that its product with an exponent is exact.
    const LN_2_HI: Self;
    /// ln 2 - `LN_2_HI`.
    const LN_2_LO: Self;
    /// log10 2, short enough that its product with an exponent is exact.
    const LOG10_2_HI: Self;
    /// log10 2 - `LOG10_2_HI`.
    const LOG10_2_LO: Self;
    /// ln 2 in two parts.
    const LN_2: [Self; 2];
    /// 1 / ln 2 in two parts.
    const LOG2_E: [Self; 2];
    /// 1 / ln 10 in two parts.
    const LOG10_E: [Self; 2];
    /// 2 / 3 in two parts.
    const TWO_THIRDS: [Self; 2];
    /// pi / 2 in three parts.
    const HALF_PI: [Self; 3];
    /// pi / 2 in three parts, of which the first two are short: products with the quadrants up to `NEAR_ANGLE` are exact.
    const HALF_PI_NEAR: [Self; 3];

    /// Arguments from which on `exp` underflows to 0 or overflows.
    const EXP_RANGE: [f64; 2];
    /// Arguments from which on `exp2` underflows to 0 or overflows.
    const EXP2_RANGE: [f64; 2];
    /// Below this, `expm1` is its argument.
    const EXPM1_IDENTITY: f64;
    /// Below this, an odd function of slope 1 at 0 is its argument.
    const CUBIC_IDENTITY: f64;
    /// From here on, `tanh` is 1.
    const TANH_ONE: f64;
    /// From here on, `erf` is 1.
    const ERF_ONE: f64;
    /// From here on, the logistic function is 1.
    const SIGMOID_ONE: f64;
    /// From here on, the value of GELU at the negative is 0.
    const GELU_ZERO: f64;
    /// Up to here, `HALF_PI_NEAR` reduces an angle.
    const NEAR_ANGLE: f64;
    /// Up to here, `HALF_PI` is precise enough to reduce an angle.
    const FAR_ANGLE: f64;

    /// `(e^r - 1 - r) / r^2` for `|r| <= ln(2) / 2`.
    const EXP: &'static [Self];
    /// `(2^f - 1) / f` for `|f| <= 1/2`.
    const EXP2: &'static [Self];
    /// `(ln(1 + f) - f + f^2 / 2) / f^3` for `f` from -1/4 to 1/2.
    const LN: &'static [Self];
    /// `((ln((1 + s) / (1 - s)) - 2 s) / s^3 - 2 / 3) / s^2` as a polynomial in `s^2`, for the same arguments.
    const ATANH: &'static [Self];
    /// `(sin(r) - r) / r^3` as a polynomial in `r^2`, for `|r| <= pi / 4`.
    const SIN: &'static [Self];
    /// `(cos(r) - 1 + r^2 / 2) / r^4` as a polynomial in `r^2`, for `|r| <= pi / 4`.
    const COS: &'static [Self];
    /// `(sinh(r) - r) / r^3` as a polynomial in `r^2`, for `|r| <= ln(2) / 2`.
    const SINH: &'static [Self];
    /// `(cosh(r) - 1 - r^2 / 2) / r^4` as a polynomial in `r^2`, for `|r| <= ln(2) / 2`.
    const COSH: &'static [Self];
    /// `(asin(x) - x) / x^3` as a polynomial in `x^2`, for `|x| <= 1/2`.
    const ASIN: &'static [Self];
    /// `(atan(x) - x) / x^3` as a polynomial in `x^2`, for `|x| <= 1`.
    const ATAN: &'static [Self];
    /// `(tanh(x) - x) / x^3` as a polynomial in `x^2`, for `|x| <= 0.85`.
    const TANH: &'static [Self];
    /// `(-2 e^(-2 r) + 2 - 4 r) / r^2` for `|r| <= ln(2) / 4`.
    const TANH_EXP: &'static [Self];
    /// `1 / (1 - d / 2)` for `d` from `-2 e^(-1.7)` to 0.
    const TANH_TAIL: &'static [Self];
    /// The constant coefficient that belongs to `GELU`, in two parts.
    const GELU_CONSTANT: [Self; 2];
    /// `Phi(-x) e^(x^2 / 2) / u`, with the normal distribution's `Phi` and `u = 1 / (1 + 0.3125 x)`, as a polynomial in
    /// `u - 0.5` without its constant, for `x` from 0 to `GELU_ZERO`.
    const GELU: &'static [Self];
    /// `erf(x) / x - 1` as a polynomial in `x^2 - 0.375`, for `|x| <= 1.2`.
    const ERF: &'static [Self];
    /// `erfc(x) e^(x^2)` as a polynomial in `1 / (1 + x) - 3/8`, for `x` from 1 to `ERF_ONE`.
    const ERFC: &'static [Self];
}

#[allow(clippy::excessive_precision, clippy::approx_constant, reason = "fitted coefficients and split constants")]
impl Tables for f32 {
    const EXPONENT_ONE: f32 = 12_582_912.0 + 127.0;
    const INTEGER_SHIFT: f32 = 12_582_912.0;
    const INTEGER_BASE: f32 = 8_388_608.0;
    const BIAS: f64 = 127.0;
    const UPPER_HALF: f32 = f32::from_bits(0xFFFF_F000);
    const MIN_NORMAL: f32 = f32::MIN_POSITIVE;
    const SUBNORMAL_SHIFT: i32 = 24;

    const LN_2_HI: f32 = 0.693_176_27;
    const LN_2_LO: f32 = -2.908_897_1e-5;
    const LOG10_2_HI: f32 = 0.301_025_39;
    const LOG10_2_LO: f32 = 4.605_039e-6;
    const LN_2: [f32; 2] = [0.693_147_2, -1.904_654_2e-9];
    const LOG2_E: [f32; 2] = [1.442_695, 1.925_963e-8];
    const LOG10_E: [f32; 2] = [0.434_294_5, -1.010_305e-8];
    const TWO_THIRDS: [f32; 2] = [0.666_666_7, -1.986_821_6e-8];
    const HALF_PI: [f32; 3] = [1.570_796_4, -4.371_139e-8, -1.715_124_5e-15];
    const HALF_PI_NEAR: [f32; 3] = [1.5708008, -4.454516e-06, 6.0771006e-11];
    const GELU_CONSTANT: [f32; 2] = [0.22996496, 5.0024664e-09];

    const EXP_RANGE: [f64; 2] = [-112.0, 89.0];
    const EXP2_RANGE: [f64; 2] = [-162.0, 129.0];
    const EXPM1_IDENTITY: f64 = 1e-8;
    const CUBIC_IDENTITY: f64 = 1e-4;
    const TANH_ONE: f64 = 10.0;
    const ERF_ONE: f64 = 4.0;
    const SIGMOID_ONE: f64 = 20.0;
    const GELU_ZERO: f64 = 14.5;
    const NEAR_ANGLE: f64 = 400.0;
    const FAR_ANGLE: f64 = 131_072.0;

    const EXP: &'static [f32] = &[0.5, 0.16666667, 0.041666348, 0.008333271, 0.0013941526, 0.00019915016];
    const EXP2: &'static [f32] = &[0.6931472, 0.24022648, 0.055503324, 0.009618438, 0.0013398872, 0.0001535334];
    const LN: &'static [f32] = &[
        0.3333334,
        -0.25000164,
        0.19999574,
        -0.16655311,
        0.14276949,
        -0.12728746,
        0.11695975,
        -0.09102508,
        0.03757198,
    ];
    const ATANH: &'static [f32] = &[0.40000397, 0.28525245, 0.2387946];
    const SIN: &'static [f32] = &[-0.16666667, 0.008333379, -0.00019853142, 2.8339134e-6];
    const COS: &'static [f32] = &[0.041666646, -0.0013887306, 2.443119e-05];
    const SINH: &'static [f32] = &[0.16666667, 0.008333289, 0.00019904999];
    const COSH: &'static [f32] = &[0.04166646, 0.0013935489];
    const ASIN: &'static [f32] = &[0.1666666, 0.07500504, 0.044516955, 0.031807717, 0.014438592, 0.037516482];
    const ATAN: &'static [f32] = &[
        -0.33333328,
        0.19999716,
        -0.14280342,
        0.110612124,
        -0.08821345,
        0.06763304,
        -0.044977427,
        0.022771932,
        -0.007422386,
        0.0011338735,
    ];
    const TANH: &'static [f32] = &[-0.33333266, 0.13331479, -0.053796466, 0.021121098, -0.007142835, 0.0014401827];
    const TANH_EXP: &'static [f32] = &[-3.9999995, 2.6666431, -1.3333886, 0.5356018, -0.17682542];
    const TANH_TAIL: &'static [f32] = &[0.9999998, 0.49999142, 0.24984153, 0.12364486, 0.056503754, 0.017372362];
    const GELU: &'static [f32] = &[
        0.33362764,
        0.33230084,
        0.18508437,
        -0.008112112,
        -0.08282303,
        -0.014323316,
        0.045210622,
        0.004889358,
        -0.026363865,
        0.008880924,
    ];
    const ERF: &'static [f32] =
        &[0.0018801201, -0.3018096, 0.08660395, -0.02011506, 0.0038505925, -0.00062269147, 8.447816e-05, -7.766326e-06];
    const ERFC: &'static [f32] = &[0.29628748, 1.0009192, 0.4507428, -0.429488, -0.14828105, 0.43822774];
}

#[allow(clippy::excessive_precision, clippy::approx_constant, reason = "fitted coefficients and split constants")]
impl Tables for f64 {
    const EXPONENT_ONE: f64 = 6_755_399_441_055_744.0 + 1023.0;
    const INTEGER_SHIFT: f64 = 6_755_399_441_055_744.0;
    const INTEGER_BASE: f64 = 4_503_599_627_370_496.0;
    const BIAS: f64 = 1023.0;
    const UPPER_HALF: f64 = f64::from_bits(0xFFFF_FFFF_F800_0000);
    const MIN_NORMAL: f64 = f64::MIN_POSITIVE;
    const SUBNORMAL_SHIFT: i32 = 54;

    const LN_2_HI: f64 = 0.6931471805601177;
    const LN_2_LO: f64 = -1.7239444525614835e-13;
    const LOG10_2_HI: f64 = 0.3010299956640665;
    const LOG10_2_LO: f64 = -8.532344317057107e-14;
    const LN_2: [f64; 2] = [0.6931471805599453, 2.3190468138462996e-17];
    const LOG2_E: [f64; 2] = [1.4426950408889634, 2.0355273740931033e-17];
    const LOG10_E: [f64; 2] = [0.4342944819032518, 1.098319650216765e-17];
    const TWO_THIRDS: [f64; 2] = [0.6666666666666666, 3.700743415417188e-17];
    const HALF_PI: [f64; 3] = [1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33];
    const HALF_PI_NEAR: [f64; 3] = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21];
    const GELU_CONSTANT: [f64; 2] = [0.22996496164366353, 3.3189308775610145e-18];

    const EXP_RANGE: [f64; 2] = [-760.0, 710.0];
    const EXP2_RANGE: [f64; 2] = [-1100.0, 1025.0];
    const EXPM1_IDENTITY: f64 = 1e-17;
    const CUBIC_IDENTITY: f64 = 5e-9;
    const TANH_ONE: f64 = 22.0;
    const ERF_ONE: f64 = 6.0;
    const SIGMOID_ONE: f64 = 40.0;
    const GELU_ZERO: f64 = 39.0;
    const NEAR_ANGLE: f64 = 1_000_000.0;
    const FAR_ANGLE: f64 = 1_073_741_824.0;

    const EXP: &'static [f64] = &[
        0.5,
        0.16666666666666677,
        0.041666666666666706,
        0.008333333333321149,
        0.001388888888886603,
        0.00019841269887493999,
        2.4801587362193813e-05,
        2.755724270023287e-06,
        2.7557241330319025e-07,
        2.5109604525338682e-08,
        2.0924892328029695e-09,
    ];
    const EXP2: &'static [f64] = &[
        0.6931471805599453,
        0.24022650695910072,
        0.05550410866482169,
        0.00961812910762833,
        0.0013333558146392697,
        0.00015403530393640714,
        1.5252733854312315e-05,
        1.3215486594904433e-06,
        1.0178051944166984e-07,
        7.054974484319369e-09,
        4.4565702064442995e-10,
        2.5625409137864815e-11,
    ];
    const LN: &'static [f64] = &[
        0.3333333333333375,
        -0.2500000000001058,
        0.19999999999850174,
        -0.1666666666379927,
        0.1428571429993594,
        -0.12500000290688518,
        0.11111110772742606,
        -0.09999985541529985,
        0.09090893015790544,
        -0.08333704401495057,
        0.07693387319936633,
        -0.07138582176844802,
        0.06643360273868694,
        -0.062498500999732004,
        0.06083045238972631,
        -0.05968097004307712,
        0.05069557945609383,
        -0.029388768291023055,
        0.008090874100713028,
    ];
    const ATANH: &'static [f64] = &[
        0.39999999999999714,
        0.28571428571582613,
        0.22222222190303567,
        0.1818182161112166,
        0.15384402380426257,
        0.13341265391040721,
        0.1159055066352961,
        0.12582522483197195,
    ];
    const SIN: &'static [f64] = &[
        -0.16666666666666627,
        0.008333333333321286,
        -0.00019841269828870133,
        2.755731335601072e-06,
        -2.505070403839832e-08,
        1.5893583817113528e-10,
    ];
    const COS: &'static [f64] = &[
        0.04166666666666659,
        -0.00138888888888726,
        2.4801587288492413e-05,
        -2.755731405665301e-07,
        2.0875681888366388e-09,
        -1.135744905438774e-11,
    ];
    const SINH: &'static [f64] = &[
        0.16666666666666677,
        0.008333333333321586,
        0.00019841269886265167,
        2.755724404610486e-06,
        2.5109101556138393e-08,
    ];
    const COSH: &'static [f64] = &[
        0.04166666666666666,
        0.0013888888888889833,
        2.480158731644956e-05,
        2.7557279076638083e-07,
        2.09136234543426e-09,
    ];
    const ASIN: &'static [f64] = &[
        0.1666666666666676,
        0.07499999999970797,
        0.04464285717461489,
        0.030381942707661456,
        0.022372214990544523,
        0.017351611969873722,
        0.013980820989878406,
        0.0113989091364083,
        0.010780267840814902,
        0.0037063583337197292,
        0.021707557500402534,
        -0.020999204926406695,
        0.032628705781026626,
    ];
    const ATAN: &'static [f64] = &[
        -0.33333333333333287,
        0.19999999999990445,
        -0.14285714285036577,
        0.11111111086446318,
        -0.0909090854724164,
        0.07692299711647925,
        -0.06666583721906018,
        0.05881716149499438,
        -0.05259433772551918,
        0.04744926079777453,
        -0.04286390880623422,
        0.038210064669707375,
        -0.032785432976676396,
        0.026151677793196215,
        -0.018614218119216614,
        0.011317673699450451,
        -0.005612406967780531,
        0.0021515995169618866,
        -0.0005928976971917661,
        0.00010387292710203022,
        -8.65431479152451e-06,
    ];
    const TANH: &'static [f64] = &[
        -0.3333333333333219,
        0.13333333333207353,
        -0.05396825391962114,
        0.021869487587436908,
        -0.008863224569741276,
        0.003592046256290141,
        -0.0014554193361219997,
        0.0005885495013025497,
        -0.00023537376159313354,
        9.006541761004365e-05,
        -3.0334291990004073e-05,
        7.629585784546683e-06,
        -1.0166695546498676e-06,
    ];
    const TANH_EXP: &'static [f64] = &[
        -4.000000000000009,
        2.6666666666666257,
        -1.3333333333289412,
        0.533333333343717,
        -0.1777777784815536,
        0.05079364993214102,
        -0.01269836431892242,
        0.002821896953658792,
        -0.0005658698372304177,
        0.00010239966253030032,
    ];
    const TANH_TAIL: &'static [f64] = &[
        0.9999999999999976,
        0.49999999999951217,
        0.24999999996683359,
        0.12499999888056823,
        0.062499977945594816,
        0.031249723470550217,
        0.015622681888549258,
        0.007799159138588536,
        0.0038530325358442216,
        0.0018068094934338213,
        0.0007052754116190821,
        0.00016201937433997426,
    ];
    // Each coefficient was rounded before the rest were fitted: where terms cancel, rounding all at the end cost most of a unit.
    const GELU: &'static [f64] = &[
        0.333627626064891,
        0.33230069628127534,
        0.18508554838997288,
        -0.008101572133125899,
        -0.0828582891599136,
        -0.014564920107463065,
        0.04581737085037328,
        0.007073672197246413,
        -0.032180560535021004,
        0.003172976281834234,
        0.023702557361950094,
        -0.012868303173653395,
        -0.013593257411269525,
        0.019353015650418172,
        -2.7833971535063573e-05,
        -0.018618725296062313,
        0.01432255129090614,
        0.008235635951603945,
        -0.02215143297567516,
        0.007059099952563923,
        0.017780197328383648,
        -0.01451140443838445,
        -0.006222280961983286,
        0.00777620394723064,
    ];
    const ERF: &'static [f64] = &[
        0.0018801197863594784,
        -0.301809621107369,
        0.08660397291084941,
        -0.02011485003392521,
        0.0038500443038364837,
        -0.0006231851741317634,
        8.718801088983353e-05,
        -1.0729332894215664e-05,
        1.1777338927692477e-06,
        -1.1663341490563181e-07,
        1.0518591426542974e-08,
        -8.689228131890546e-10,
        6.432639920623181e-11,
        -3.449975358650614e-12,
    ];
    const ERFC: &'static [f64] = &[
        0.29628747736921124,
        1.0009190580016054,
        0.4507740135115812,
        -0.4298519074200022,
        -0.15296643256501563,
        0.5265531067720071,
        -0.306307147547147,
        -0.3756482556214053,
        0.9507152450647198,
        -0.7415698072768881,
        -0.5357559022585531,
        2.273676269549825,
        -2.7703696853901776,
        0.8713161188757982,
    ];
}
