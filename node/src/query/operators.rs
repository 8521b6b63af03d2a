//! What MySQL and StarRocks do differently from DataFusion in expressions.

#![expect(clippy::wildcard_enum_match_arm, reason = "operators that mean the same in both")]

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, cast};
use sqlparser::ast::BinaryOperator;
use std::sync::Arc;

/// Puts the differences into a session.
pub(super) fn register(state: &mut SessionState) -> Result<()> {
    // In this order: what the first makes of an expression is what the second is asked about.
    state.register_expr_planner(Arc::new(Truth))?;
    state.register_expr_planner(Arc::new(Arithmetic))
}

/// A BOOLEAN beside a number is 0 or 1; a number beside AND, OR and XOR is true when it is not zero.
#[derive(Debug)]
struct Truth;

/// `/` never cuts off the fraction, `DIV` does, and a division by zero is NULL.
#[derive(Debug)]
struct Arithmetic;

fn is_zero_guarded(expr: Expr) -> Expr {
    // A literal other than zero needs no guard.
    if let Expr::Literal(value, _) = &expr
        && !value.is_null()
        && ScalarValue::new_zero(&value.data_type()).is_ok_and(|zero| zero != *value)
    {
        return expr;
    }
    let zero = Expr::Literal(ScalarValue::Int64(Some(0)), None);
    let nullif = datafusion::functions::core::nullif();
    Expr::ScalarFunction(ScalarFunction::new_udf(nullif, vec![expr, zero]))
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

impl ExprPlanner for Truth {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let (Ok(left), Ok(right)) = (expr.left.get_type(schema), expr.right.get_type(schema)) else {
            return Ok(PlannerResult::Original(expr));
        };
        let (truth, number) = match expr.op {
            BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Xor => (true, false),
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
            | BinaryOperator::MyIntegerDivide => (false, true),
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq => (false, left.is_numeric() || right.is_numeric()),
            _ => (false, false),
        };
        let side = |expr: Expr, of: &DataType| match of {
            DataType::Boolean if number => cast(expr, DataType::Int64),
            of if truth && of.is_numeric() => cast(expr, DataType::Boolean),
            _ => expr,
        };
        let (left, right) = (side(expr.left, &left), side(expr.right, &right));
        Ok(PlannerResult::Original(RawBinaryExpr { op: expr.op, left, right }))
    }
}

impl ExprPlanner for Arithmetic {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let (Ok(left), Ok(right)) = (expr.left.get_type(schema), expr.right.get_type(schema)) else {
            return Ok(PlannerResult::Original(expr));
        };
        let integers = left.is_integer() && right.is_integer();
        let numbers = left.is_numeric() && right.is_numeric();
        let RawBinaryExpr { op, left, right } = expr;
        Ok(match op {
            BinaryOperator::Divide if integers => PlannerResult::Planned(binary(
                cast(left, DataType::Float64),
                Operator::Divide,
                cast(is_zero_guarded(right), DataType::Float64),
            )),
            BinaryOperator::Divide if numbers => {
                PlannerResult::Planned(binary(left, Operator::Divide, is_zero_guarded(right)))
            }
            BinaryOperator::Modulo if numbers => {
                PlannerResult::Planned(binary(left, Operator::Modulo, is_zero_guarded(right)))
            }
            BinaryOperator::MyIntegerDivide if integers => {
                PlannerResult::Planned(binary(left, Operator::Divide, is_zero_guarded(right)))
            }
            BinaryOperator::MyIntegerDivide if numbers => {
                PlannerResult::Planned(cast(binary(left, Operator::Divide, is_zero_guarded(right)), DataType::Int64))
            }
            op => PlannerResult::Original(RawBinaryExpr { op, left, right }),
        })
    }
}
