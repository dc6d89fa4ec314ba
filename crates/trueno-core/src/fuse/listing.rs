//! A formula as data: its steps in their order.

use super::Formula;
use super::rows::{Rows, padded};
use super::step::unary_gradient;
use super::value::{Scalar, Value};
use crate::math::Math;
use crate::math::wgsl::{self, Expr};
use crate::table::{
    BinaryOp, BinaryRow, BinaryVisitor, CompareOp, CompareRow, CompareVisitor, TernaryOp, TernaryRow, TernaryVisitor,
    UnaryOp, UnaryRow, UnaryVisitor,
};
use alloc::{format, string::String, vec, vec::Vec};
use core::cell::RefCell;

/// One step. Operands are positions of earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// An operand of the formula, by position.
    Operand(usize),
    /// A captured number, by position.
    Parameter(usize),
    /// A literal, by its bits.
    Literal(u64),
    /// A row of one operand, with the parameters that it has.
    Unary(UnaryOp, usize, [Option<usize>; 2]),
    /// A row of two operands.
    Binary(BinaryOp, [usize; 2]),
    /// A row of three operands.
    Ternary(TernaryOp, [usize; 3]),
    /// A comparison.
    Compare(CompareOp, [usize; 2]),
    /// The second where the first holds, else the third.
    Select([usize; 3]),
    /// Both hold.
    And([usize; 2]),
    /// At least one holds.
    Or([usize; 2]),
    /// Exactly one holds.
    Xor([usize; 2]),
    /// It does not hold.
    Not(usize),
}

/// The steps of a formula. Equal listings are the same formula.
///
/// ```
/// use trueno_core::fuse::{Listing, Step};
/// let product = Listing::new(2, 1, |x, p| {
///     let product = x[0].mul(x[1]).output();
///     product.add(p[0]).output()
/// });
/// assert_eq!(product.value(&[3.0, 4.0], &[0.5]), 12.5);
/// assert_eq!(product.gradients(&[3.0, 4.0], &[0.5], 1.0, &[true, true]), [Some(4.0), Some(3.0)]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listing {
    nodes: Vec<Node>,
    operands: usize,
    parameters: usize,
    result: usize,
}

/// A value that notes how it was made.
#[derive(Clone, Copy, Debug)]
pub struct Noted<'a> {
    nodes: &'a RefCell<Vec<Node>>,
    at: usize,
}

impl<'a> Noted<'a> {
    fn note(self, node: Node) -> Noted<'a> {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(node);
        Noted { at: nodes.len() - 1, ..self }
    }
}

impl Rows for Noted<'_> {
    type Truth = Self;

    fn literal(self, value: f64) -> Self {
        self.note(Node::Literal(value.to_bits()))
    }

    fn unary<R: UnaryRow>(self, parameters: [Option<Self>; 2]) -> Self {
        self.note(Node::Unary(R::OP, self.at, parameters.map(|parameter| parameter.map(|noted| noted.at))))
    }

    fn binary<R: BinaryRow>(self, other: Self) -> Self {
        self.note(Node::Binary(R::OP, [self.at, other.at]))
    }

    fn ternary<R: TernaryRow>(self, second: Self, third: Self) -> Self {
        self.note(Node::Ternary(R::OP, [self.at, second.at, third.at]))
    }

    fn compare<R: CompareRow>(self, other: Self) -> Self {
        self.note(Node::Compare(R::OP, [self.at, other.at]))
    }

    fn select(mask: Self, yes: Self, no: Self) -> Self {
        mask.note(Node::Select([mask.at, yes.at, no.at]))
    }

    fn and(a: Self, b: Self) -> Self {
        a.note(Node::And([a.at, b.at]))
    }

    fn or(a: Self, b: Self) -> Self {
        a.note(Node::Or([a.at, b.at]))
    }

    fn xor(a: Self, b: Self) -> Self {
        a.note(Node::Xor([a.at, b.at]))
    }

    fn not(a: Self) -> Self {
        a.note(Node::Not(a.at))
    }
}

/// What a step came to.
#[derive(Clone, Copy)]
enum Cell<M: Rows> {
    Value(M),
    Truth(M::Truth),
}

impl<M: Rows> Cell<M> {
    /// Positions of values hold values: steps are typed where the listing is made.
    fn value(self) -> M {
        match self {
            Cell::Value(value) => value,
            Cell::Truth(_) => unreachable!("a step that takes a value was given a truth"),
        }
    }

    fn truth(self) -> M::Truth {
        match self {
            Cell::Truth(truth) => truth,
            Cell::Value(_) => unreachable!("a step that takes a truth was given a value"),
        }
    }
}

impl Listing {
    /// Lists the steps that `formula` takes from its operands and captured numbers.
    pub fn new(
        operands: usize,
        parameters: usize,
        formula: impl for<'a> FnOnce(&[Value<Noted<'a>>], &[Scalar<Noted<'a>>]) -> Value<Noted<'a>>,
    ) -> Listing {
        let nodes = RefCell::new(Vec::new());
        let start = Noted { nodes: &nodes, at: 0 };
        let values: Vec<_> = (0..operands).map(|i| Value(start.note(Node::Operand(i)))).collect();
        let numbers: Vec<_> = (0..parameters).map(|i| Scalar(start.note(Node::Parameter(i)))).collect();
        let result = formula(&values, &numbers).0.at;
        Listing { nodes: nodes.into_inner(), operands, parameters, result }
    }

    /// The steps of a formula.
    pub fn of<F: Formula<N, P>, const N: usize, const P: usize>() -> Listing {
        Listing::new(N, P, |x, p| F::value(core::array::from_fn(|i| x[i]), core::array::from_fn(|i| p[i])))
    }

    /// How many operands it has.
    pub fn operands(&self) -> usize {
        self.operands
    }

    /// How many numbers it captures.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// The steps, operands and captured numbers first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The position of the value among the steps.
    pub fn result(&self) -> usize {
        self.result
    }

    /// The value, of at least one operand.
    pub fn value<M: Math>(&self, operands: &[M], parameters: &[M]) -> M {
        self.run(operands, parameters, |value| value)[self.result].value()
    }

    /// What every step came to. What a row gave goes through `settle`.
    fn run<M: Math>(&self, operands: &[M], parameters: &[M], settle: impl Fn(M) -> M) -> Vec<Cell<M>> {
        let mut cells: Vec<Cell<M>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let value = |at: usize| cells[at].value();
            let truth = |at: usize| cells[at].truth();
            cells.push(match *node {
                Node::Operand(i) => Cell::Value(operands[i]),
                Node::Parameter(i) => Cell::Value(parameters[i]),
                Node::Literal(bits) => Cell::Value(operands[0].lit(f64::from_bits(bits))),
                Node::Unary(op, x, parameters) => {
                    let parameters = parameters.map(|at| at.map(value));
                    Cell::Value(settle(op.dispatch(Unary { x: value(x), parameters })))
                }
                Node::Binary(op, at) => Cell::Value(settle(op.dispatch(Apply(at.map(value))))),
                Node::Ternary(op, at) => Cell::Value(settle(op.dispatch(Apply(at.map(value))))),
                Node::Compare(op, at) => Cell::Truth(op.dispatch(Apply(at.map(value)))),
                Node::Select([mask, yes, no]) => Cell::Value(<M as Rows>::select(truth(mask), value(yes), value(no))),
                Node::And([a, b]) => Cell::Truth(M::and(truth(a), truth(b))),
                Node::Or([a, b]) => Cell::Truth(M::or(truth(a), truth(b))),
                Node::Xor([a, b]) => Cell::Truth(M::xor(truth(a), truth(b))),
                Node::Not(a) => Cell::Truth(M::not(truth(a))),
            });
        }
        cells
    }

    /// The gradients by the wanted operands, from the gradient `g` by the value: each step's own, backwards. An operand
    /// that the value does not depend on has a gradient of 0.
    pub fn gradients<M: Math>(&self, operands: &[M], parameters: &[M], g: M, wanted: &[bool]) -> Vec<Option<M>> {
        self.pull(operands, parameters, g, wanted, |value| value)
    }

    /// As [`gradients`](Self::gradients). What a row gave, its gradients and their sums go through `settle`.
    fn pull<M: Math>(
        &self,
        operands: &[M],
        parameters: &[M],
        g: M,
        wanted: &[bool],
        settle: impl Fn(M) -> M,
    ) -> Vec<Option<M>> {
        let cells = self.run(operands, parameters, &settle);
        let leads = self.leads_to(wanted);
        let mut adjoints: Vec<Option<M>> = vec![None; self.nodes.len()];
        adjoints[self.result] = Some(g);
        for (at, node) in self.nodes.iter().enumerate().rev() {
            let (Some(g), true) = (adjoints[at], leads[at]) else { continue };
            let value = |at: usize| cells[at].value();
            let mut arrive = |at: usize, part: &dyn Fn() -> M| {
                if leads[at] {
                    let part = settle(part());
                    adjoints[at] = Some(adjoints[at].map_or(part, |sum| settle(sum + part)));
                }
            };
            match *node {
                Node::Unary(op, x, parameters) => {
                    let parameters = parameters.map(|at| at.map(value));
                    arrive(x, &|| op.dispatch(UnaryGradient { x: value(x), y: value(at), g, parameters }));
                }
                Node::Binary(op, places) => {
                    for (by, place) in places.into_iter().enumerate() {
                        arrive(place, &|| op.dispatch(Gradient { by, operands: places.map(value), g }));
                    }
                }
                Node::Ternary(op, places) => {
                    for (by, place) in places.into_iter().enumerate() {
                        arrive(place, &|| op.dispatch(Gradient { by, operands: places.map(value), g }));
                    }
                }
                Node::Select([mask, yes, no]) => {
                    let mask = cells[mask].truth();
                    arrive(yes, &|| <M as Rows>::select(mask, g, g.lit(0.0)));
                    arrive(no, &|| <M as Rows>::select(mask, g.lit(0.0), g));
                }
                Node::Operand(_)
                | Node::Parameter(_)
                | Node::Literal(_)
                | Node::Compare(..)
                | Node::And(_)
                | Node::Or(_)
                | Node::Xor(_)
                | Node::Not(_) => {}
            }
        }
        let of = |(i, &wanted): (usize, &bool)| wanted.then(|| adjoints[i].unwrap_or_else(|| g.lit(0.0)));
        wanted.iter().enumerate().map(of).collect()
    }

    /// Which steps depend smoothly on a wanted operand.
    fn leads_to(&self, wanted: &[bool]) -> Vec<bool> {
        let mut leads = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let any = |places: &[usize]| places.iter().any(|&at| leads[at]);
            leads.push(match *node {
                Node::Operand(i) => wanted[i],
                Node::Unary(_, x, _) => leads[x],
                Node::Binary(_, places) => any(&places),
                Node::Ternary(_, places) => any(&places),
                Node::Select([_, yes, no]) => any(&[yes, no]),
                Node::Parameter(_)
                | Node::Literal(_)
                | Node::Compare(..)
                | Node::And(_)
                | Node::Or(_)
                | Node::Xor(_)
                | Node::Not(_) => false,
            });
        }
        leads
    }
}

impl Listing {
    /// A WGSL function `name` over a float, of the operands `x0, x1, ...` and the captured numbers `p0, p1, ...`.
    ///
    /// WGSL lets drivers contract and rearrange sums. So that a formula is rounded as its steps are one by one, what each gave goes
    /// through [`wgsl::SETTLED`], which the module must hold.
    pub fn wgsl(&self, scalar: wgsl::Scalar, name: &str) -> String {
        wgsl::functions(scalar, name, &self.names(false), |x| {
            let (operands, parameters) = x.split_at(self.operands);
            vec![self.run(operands, parameters, Expr::settled)[self.result].value()]
        })
    }

    /// A WGSL function `name` over a float, of the operands, the gradient by the value and the captured numbers, that gives an array of
    /// the gradients by the wanted operands; a single one is no array.
    pub fn wgsl_gradients(&self, scalar: wgsl::Scalar, name: &str, wanted: &[bool]) -> String {
        wgsl::functions(scalar, name, &self.names(true), |x| {
            let (operands, rest) = x.split_at(self.operands);
            self.pull(operands, &rest[1..], rest[0], wanted, Expr::settled).into_iter().flatten().collect()
        })
    }

    fn names(&self, gradient: bool) -> Vec<String> {
        let operands = (0..self.operands + usize::from(gradient)).map(|i| format!("x{i}"));
        operands.chain((0..self.parameters).map(|i| format!("p{i}"))).collect()
    }
}

/// Visitor of a unary row: its value.
struct Unary<M> {
    x: M,
    parameters: [Option<M>; 2],
}

impl<M: Math> UnaryVisitor for Unary<M> {
    type Output = M;
    fn visit<R: UnaryRow>(self) -> M {
        self.x.unary::<R>(self.parameters)
    }
}

/// Visitor of a unary row: its gradient.
struct UnaryGradient<M> {
    x: M,
    y: M,
    g: M,
    parameters: [Option<M>; 2],
}

impl<M: Math> UnaryVisitor for UnaryGradient<M> {
    type Output = M;
    fn visit<R: UnaryRow>(self) -> M {
        unary_gradient::<R, M>(self.x, self.y, self.g, padded(self.x, self.parameters))
    }
}

/// Visitor of a row of several operands: its value.
struct Apply<M, const N: usize>([M; N]);

impl<M: Math> BinaryVisitor for Apply<M, 2> {
    type Output = M;
    fn visit<R: BinaryRow>(self) -> M {
        R::value(self.0[0], self.0[1])
    }
}

impl<M: Math> CompareVisitor for Apply<M, 2> {
    type Output = M::Mask;
    fn visit<R: CompareRow>(self) -> M::Mask {
        R::value(self.0[0], self.0[1])
    }
}

impl<M: Math> TernaryVisitor for Apply<M, 3> {
    type Output = M;
    fn visit<R: TernaryRow>(self) -> M {
        R::value(self.0[0], self.0[1], self.0[2])
    }
}

/// Visitor of a row of several operands: its gradient by one.
struct Gradient<M, const N: usize> {
    by: usize,
    operands: [M; N],
    g: M,
}

impl<M: Math> BinaryVisitor for Gradient<M, 2> {
    type Output = M;
    fn visit<R: BinaryRow>(self) -> M {
        let [a, b] = self.operands;
        if self.by == 0 { R::left(a, b, self.g) } else { R::right(a, b, self.g) }
    }
}

impl<M: Math> TernaryVisitor for Gradient<M, 3> {
    type Output = M;
    fn visit<R: TernaryRow>(self) -> M {
        R::grad(self.by, self.operands, self.g)
    }
}
