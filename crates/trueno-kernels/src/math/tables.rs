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

    /// Arguments from which on `exp` underflows to 0 or overflows.
    const EXP_RANGE: [f64; 2];
    /// Arguments from which on `exp2` underflows to 0 or overflows.
    const EXP2_RANGE: [f64; 2];
    /// Below this, `expm1` is its argument.
    const EXPM1_IDENTITY: f64;
    /// From here on, `tanh` is 1.
    const TANH_ONE: f64;
    /// From here on, `erf` is 1.
    const ERF_ONE: f64;
    /// Up to here, `HALF_PI` is precise enough to reduce an angle.
    const NEAR_ANGLE: f64;

    /// `(e^r - 1 - r) / r^2` for `|r| <= ln(2) / 2`.
    const EXP: &'static [Self];
    /// `(ln(1 + f) - f + f^2 / 2) / f^3` for `1 + f` within `sqrt(2)` of 1.
    const LN: &'static [Self];
    /// `((ln((1 + s) / (1 - s)) - 2 s) / s^3 - 2 / 3) / s^2` as a polynomial in `s^2`, for the same arguments.
    const ATANH: &'static [Self];
    /// `(sin(r) - r) / r^3` as a polynomial in `r^2`, for `|r| <= pi / 4`.
    const SIN: &'static [Self];
    /// `(cos(r) - 1 + r^2 / 2) / r^4` as a polynomial in `r^2`, for `|r| <= pi / 4`.
    const COS: &'static [Self];
    /// `erf(x) / x - 1` as a polynomial in `x^2 - 1/2`, for `|x| <= 1`.
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

    const EXP_RANGE: [f64; 2] = [-104.0, 89.0];
    const EXP2_RANGE: [f64; 2] = [-151.0, 129.0];
    const EXPM1_IDENTITY: f64 = 1e-8;
    const TANH_ONE: f64 = 10.0;
    const ERF_ONE: f64 = 4.0;
    const NEAR_ANGLE: f64 = 131_072.0;

    const EXP: &'static [f32] = &[0.5, 0.16666667, 0.041666348, 0.008333271, 0.0013941526, 0.00019915016];
    const LN: &'static [f32] =
        &[0.33333316, -0.2500081, 0.20002286, -0.16624555, 0.14181197, -0.13128749, 0.12881616, -0.078595854];
    const ATANH: &'static [f32] = &[0.40000153, 0.28547132, 0.23418649];
    const SIN: &'static [f32] = &[-0.16666654, 0.008332131, -0.00019510835];
    const COS: &'static [f32] = &[0.041666646, -0.0013887306, 2.443119e-05];
    const ERF: &'static [f32] =
        &[-0.03453126, -0.2810722, 0.079409994, -0.018283356, 0.0034801667, -0.00056541094, 7.889204e-05];
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

    const EXP_RANGE: [f64; 2] = [-746.0, 710.0];
    const EXP2_RANGE: [f64; 2] = [-1076.0, 1025.0];
    const EXPM1_IDENTITY: f64 = 1e-17;
    const TANH_ONE: f64 = 22.0;
    const ERF_ONE: f64 = 6.0;
    const NEAR_ANGLE: f64 = 1_073_741_824.0;

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
    const LN: &'static [f64] = &[
        0.3333333333333325,
        -0.24999999999987588,
        0.20000000000026788,
        -0.16666666669894112,
        0.1428571428500618,
        -0.12499999689022563,
        0.11111110859074341,
        -0.10000015086054165,
        0.09090933213942812,
        -0.08332924318030861,
        0.07691358251109956,
        -0.07149125895166017,
        0.06686359956458802,
        -0.062011746095027846,
        0.05659738050461004,
        -0.05645623695789293,
        0.06508235760476647,
        -0.0607348711606345,
        0.026918754819556058,
    ];
    const ATANH: &'static [f64] = &[
        0.40000000000002256,
        0.2857142857010013,
        0.22222222519816842,
        0.18181784377014856,
        0.15386756848179464,
        0.1325682959466808,
        0.13196213557859193,
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
    const ERF: &'static [f64] = &[
        -0.03453126133013269,
        -0.2810721780454342,
        0.07940998675593483,
        -0.018283884489152906,
        0.0034802744966656455,
        -0.0005611894221159964,
        7.829649525406585e-05,
        -9.614808686831185e-06,
        1.0536449567739969e-06,
        -1.0420369440199117e-07,
        9.3876158693679e-09,
        -7.798542827108074e-10,
        5.960725801952241e-11,
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
