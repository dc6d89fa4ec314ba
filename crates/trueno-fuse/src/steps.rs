//! From an expression to its steps, in the order in which Rust would evaluate them.

use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::HashMap;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Block, Error, Expr, ExprPath, Lit, Local, Macro, Pat, Result, Stmt, UnOp};

/// What an expression came to.
#[derive(Clone)]
pub enum Term {
    /// An operand or the output of a step, by place: operands first, then steps.
    Place(usize),
    /// A captured number, by position.
    Captured(usize),
    /// A number that stands in the text.
    Literal(TokenStream),
}

/// One operation: a method of its first term.
pub struct Step {
    /// The method, at the place in the text that asks for it.
    pub method: Ident,
    /// What it is called on, and its arguments.
    pub terms: Vec<Term>,
}

/// The steps of a formula.
pub struct Steps {
    /// How many operands there are.
    pub operands: usize,
    /// The operations, in order. The output of step `i` has place `operands + i`.
    pub list: Vec<Step>,
    /// The expressions that are captured.
    pub captures: Vec<Expr>,
    /// What names stand for.
    names: HashMap<String, Term>,
}

impl Steps {
    /// No steps yet, of a formula with these operands.
    pub fn new(operands: &[Ident]) -> Steps {
        let names = operands.iter().enumerate().map(|(i, name)| (name.to_string(), Term::Place(i))).collect();
        Steps { operands: operands.len(), list: Vec::new(), captures: Vec::new(), names }
    }

    /// Takes an expression apart.
    pub fn lower(&mut self, expr: &Expr) -> Result<Term> {
        match expr {
            Expr::Paren(inner) => return self.lower(&inner.expr),
            Expr::Group(inner) => return self.lower(&inner.expr),
            _ => {}
        }
        if !self.mentions_a_name(expr) {
            return match literal(expr)? {
                Some(number) => Ok(Term::Literal(number)),
                None => Ok(self.capture(expr)),
            };
        }
        match expr {
            Expr::Path(path) => self.name(path),
            Expr::Block(block) if block.label.is_none() => self.block(&block.block),
            Expr::Unary(unary) => {
                let method = match unary.op {
                    UnOp::Neg(_) => "neg",
                    UnOp::Not(_) => "not",
                    _ => return Err(Error::new(unary.op.span(), "operands are plain values here, not references")),
                };
                let operand = self.lower(&unary.expr)?;
                Ok(self.step(Ident::new(method, unary.op.span()), vec![operand]))
            }
            Expr::Binary(binary) => {
                let method = operator(&binary.op)?;
                let terms = vec![self.lower(&binary.left)?, self.lower(&binary.right)?];
                Ok(self.step(Ident::new(method, binary.op.span()), terms))
            }
            Expr::MethodCall(call) => {
                let mut terms = vec![self.lower(&call.receiver)?];
                for argument in &call.args {
                    terms.push(self.lower(argument)?);
                }
                Ok(self.step(call.method.clone(), terms))
            }
            Expr::If(_) | Expr::Match(_) => {
                let hint = "a fused formula has no branches; choose between values with `a.lt(b).select(yes, no)`";
                Err(Error::new(expr.span(), hint))
            }
            _ => {
                let hint = "a fused formula is made of operators, methods of the operation table, and `let`";
                Err(Error::new(expr.span(), hint))
            }
        }
    }

    fn step(&mut self, method: Ident, terms: Vec<Term>) -> Term {
        self.list.push(Step { method, terms });
        Term::Place(self.operands + self.list.len() - 1)
    }

    fn name(&self, path: &ExprPath) -> Result<Term> {
        let known = path.path.get_ident().and_then(|name| self.names.get(&name.to_string()));
        known.cloned().ok_or_else(|| Error::new(path.span(), "not an operand"))
    }

    /// A number that is computed outside. The same name is captured once.
    fn capture(&mut self, expr: &Expr) -> Term {
        let is_name = matches!(expr, Expr::Path(_));
        let text = expr.to_token_stream().to_string();
        let same = |known: &Expr| is_name && known.to_token_stream().to_string() == text;
        let at = self.captures.iter().position(same).unwrap_or_else(|| {
            self.captures.push(expr.clone());
            self.captures.len() - 1
        });
        Term::Captured(at)
    }

    fn block(&mut self, block: &Block) -> Result<Term> {
        let outside = self.names.clone();
        let Some((Stmt::Expr(result, None), lets)) = block.stmts.split_last() else {
            return Err(Error::new(block.span(), "the block ends in no value"));
        };
        for statement in lets {
            match statement {
                Stmt::Local(local) => self.bind(local)?,
                _ => {
                    return Err(Error::new(
                        statement.span(),
                        "before its value, a block of a fused formula has only `let`",
                    ));
                }
            }
        }
        let result = self.lower(result)?;
        self.names = outside;
        Ok(result)
    }

    fn bind(&mut self, local: &Local) -> Result<()> {
        let plain = "a fused formula binds plain names, `let y = ...;`";
        let (Pat::Ident(name), Some(init)) = (&local.pat, &local.init) else {
            return Err(Error::new(local.span(), plain));
        };
        if name.by_ref.is_some() || name.mutability.is_some() || name.subpat.is_some() || init.diverge.is_some() {
            return Err(Error::new(local.span(), plain));
        }
        let term = self.lower(&init.expr)?;
        self.names.insert(name.ident.to_string(), term);
        Ok(())
    }

    fn mentions_a_name(&self, expr: &Expr) -> bool {
        let mut search = Search { names: &self.names, found: false };
        search.visit_expr(expr);
        search.found
    }
}

/// Looks for operands and names bound by `let`.
struct Search<'a> {
    names: &'a HashMap<String, Term>,
    found: bool,
}

impl Search<'_> {
    fn in_tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(name) => self.found |= self.names.contains_key(&name.to_string()),
                TokenTree::Group(group) => self.in_tokens(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        self.found |= path.path.get_ident().is_some_and(|name| self.names.contains_key(&name.to_string()));
        visit::visit_expr_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.in_tokens(call.tokens.clone());
    }
}

/// A number that stands in the text as such: it is compiled in, not captured.
fn literal(expr: &Expr) -> Result<Option<TokenStream>> {
    match expr {
        Expr::Paren(inner) => literal(&inner.expr),
        Expr::Group(inner) => literal(&inner.expr),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            let sign = unary.op;
            Ok(literal(&unary.expr)?.map(|number| quote::quote!((#sign #number))))
        }
        Expr::Lit(lit) => {
            let (digits, suffix) = match &lit.lit {
                Lit::Float(number) => (number.base10_digits(), number.suffix()),
                Lit::Int(number) => (number.base10_digits(), number.suffix()),
                other => return Err(Error::new(other.span(), "a fused formula computes with numbers")),
            };
            // With another suffix it is an expression of that type, and captured as that.
            if !matches!(suffix, "" | "f64") {
                return Ok(None);
            }
            let value: f64 = digits.parse().map_err(|error| Error::new(lit.span(), error))?;
            Ok(Some(number(value, lit.span())))
        }
        _ => Ok(None),
    }
}

fn number(value: f64, span: Span) -> TokenStream {
    let mut literal = Literal::f64_suffixed(value);
    literal.set_span(span);
    literal.to_token_stream()
}

/// The method that an operator stands for.
fn operator(op: &BinOp) -> Result<&'static str> {
    let hint = match op {
        BinOp::Add(_) => return Ok("add"),
        BinOp::Sub(_) => return Ok("sub"),
        BinOp::Mul(_) => return Ok("mul"),
        BinOp::Div(_) => return Ok("div"),
        BinOp::BitAnd(_) => return Ok("bitand"),
        BinOp::BitOr(_) => return Ok("bitor"),
        BinOp::BitXor(_) => return Ok("bitxor"),
        BinOp::Lt(_) => "write `a.lt(b)`, as of tensors",
        BinOp::Le(_) => "write `a.le(b)`, as of tensors",
        BinOp::Gt(_) => "write `a.gt(b)`, as of tensors",
        BinOp::Ge(_) => "write `a.ge(b)`, as of tensors",
        BinOp::Eq(_) => "write `a.eq(b)`, as of tensors",
        BinOp::Ne(_) => "write `a.ne(b)`, as of tensors",
        _ => "operands have no such operator",
    };
    Err(Error::new(op.span(), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lowered(text: &str) -> Result<Steps> {
        let names = ["a", "b"].map(|name| Ident::new(name, Span::call_site()));
        let mut steps = Steps::new(&names);
        steps.lower(&syn::parse_str(text)?)?;
        Ok(steps)
    }

    fn methods(steps: &Steps) -> Vec<String> {
        steps.list.iter().map(|step| step.method.to_string()).collect()
    }

    fn captures(text: &str) -> Vec<String> {
        let steps = lowered(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        steps.captures.iter().map(|expr| expr.to_token_stream().to_string()).collect()
    }

    fn refusal(text: &str) -> String {
        lowered(text).err().map(|error| error.to_string()).unwrap_or_else(|| panic!("{text} is refused"))
    }

    #[test]
    fn steps_come_in_the_order_of_evaluation() {
        let steps = lowered("(-a * b + a.exp()).maximum(b / 2.0)").unwrap();
        assert_eq!(methods(&steps), ["neg", "mul", "exp", "add", "div", "maximum"]);
    }

    #[test]
    fn a_value_that_is_bound_is_computed_once() {
        let steps = lowered("{ let c = a * b; let c = c.exp(); c + c }").unwrap();
        assert_eq!(methods(&steps), ["mul", "exp", "add"]);
        assert!(matches!(steps.list[2].terms[..], [Term::Place(3), Term::Place(3)]));
        let inner = lowered("{ let c = { let a = b; a.exp() }; a * c }").unwrap();
        assert!(matches!(inner.list[1].terms[..], [Term::Place(0), Term::Place(2)]), "`a` is the operand again");
    }

    #[test]
    fn what_names_no_operand_is_captured_whole() {
        assert_eq!(captures("a * (2.0 * scale) + f(config.a, b!(x))"), ["2.0 * scale", "f (config . a , b ! (x))"]);
        assert_eq!(captures("a * scale + b * scale"), ["scale"]);
        assert_eq!(captures("{ let half = scale / 2.0; a * half + b * half }"), ["scale / 2.0"]);
        assert_eq!(captures("a * 2.0 + b * -3 + 1e-3_f64"), [""; 0], "literals are compiled in");
        assert_eq!(captures("a * 0.1_f32"), ["0.1_f32"], "a number of another type is not rewritten");
    }

    #[test]
    fn what_is_no_formula_is_refused_in_words() {
        assert!(refusal("if a > 0.0 { a } else { b }").contains("select"));
        assert!(refusal("a < b").contains("a.lt(b)"));
        assert!(refusal("f(a)").contains("methods of the operation table"));
        assert!(refusal("{ a.exp(); }").contains("no value"));
        assert!(refusal("{ let (c, d) = a; c }").contains("plain names"));
        assert!(refusal("a * true").contains("numbers"));
        assert!(refusal("*a").contains("not references"));
    }
}
