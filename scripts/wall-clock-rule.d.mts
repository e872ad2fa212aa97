import type { Rule } from 'eslint';

export declare const wallClockRule: Rule.RuleModule;
