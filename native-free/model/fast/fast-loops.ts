/**
 * The loops of the fast profile: over units and over literals, which share their models. A coder may bring its own.
 * @module
 */
import type { Plan } from '../../format/plan.ts';
import type { CostMeter } from '../costs.ts';
import type { ModelCoder } from '../model-coder.ts';
import type { SegmentLoops } from '../unit-loop.ts';
import { FastLiterals } from './fast-literals.ts';
import { FastModels } from './fast-models.ts';
import { FastUnits } from './fast-units.ts';

/** The loops for a plan: those of the coder, or the ones in TypeScript. */
export function fastLoops(plan: Plan, coder: ModelCoder, meter: CostMeter): SegmentLoops {
  const own = coder.fastLoops?.(plan) ?? null;
  if (own !== null) return own;
  const models = new FastModels(coder);
  return { units: new FastUnits(plan, coder, models, meter), literals: new FastLiterals(coder, models, meter) };
}
