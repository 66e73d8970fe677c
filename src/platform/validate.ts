/** zod at the edge: its issues as field problems in the words of the request. */
import type { z } from 'zod';
import { type FieldProblem, invalid } from './problem.ts';

/** Parses with a schema or throws a 422 that names every field. */
export function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalid(fieldProblems(result.error));
}

/** zod's issues as `{path, message}`, one for each unknown field too. */
export function fieldProblems(error: z.ZodError): FieldProblem[] {
  return error.issues.flatMap((issue) => {
    const path = pathText(issue.path);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        path: path === '(body)' ? key : `${path}.${key}`,
        message: 'is not a known field; remove it or correct its spelling',
      }));
    }
    return [{ path, message: issue.message }];
  });
}

function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return '(body)';
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}
