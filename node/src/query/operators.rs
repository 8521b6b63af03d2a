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
    state.register_expr_planner(Arc::new(Arithmetic))
}

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
