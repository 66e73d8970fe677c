/** Stored policies as the resolver wants them. */
import { type NamedPolicy, type Policy, STRICT } from '../domain/policy.ts';

export interface PolicyRow {
  readonly name: string;
  readonly version: number;
  readonly document: string;
  readonly created_at: number;
}

/** A question that the stored version did not know yet has the strict answer. */
export function policyFromRow(row: PolicyRow): NamedPolicy {
  return {
    name: row.name,
    version: row.version,
    document: { ...STRICT, ...(JSON.parse(row.document) as Partial<Policy>) },
  };
}
