/** Errors at the edge: RFC 9457 problem details that say what is wrong and how to mend it. */

/** A field that is wrong. `path` is written as in the request: `data.SMS_CONSENT`. */
export interface FieldProblem {
  readonly path: string;
  readonly message: string;
}

export interface ProblemExtras {
  readonly errors?: readonly FieldProblem[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the problem document. */
  readonly members?: Readonly<Record<string, unknown>>;
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  413: 'Content too large',
  415: 'Unsupported media type',
  422: 'Validation failed',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'Unavailable',
};

/** Thrown by handlers and turned into a response by the app's error handler. `detail` must hold no personal data. */
export class Problem extends Error {
  override readonly name = 'Problem';
  constructor(
    readonly status: number,
    readonly detail: string,
    readonly extras: ProblemExtras = {},
  ) {
    super(detail);
  }

  /** The problem document, without the request id. */
  body(): Record<string, unknown> {
    return {
      type: 'about:blank',
      title: TITLES[this.status] ?? 'Error',
      status: this.status,
      detail: this.detail,
      ...(this.extras.errors && { errors: this.extras.errors }),
      ...this.extras.members,
    };
  }

  toResponse(requestId: string): Response {
    return new Response(JSON.stringify({ ...this.body(), request_id: requestId }), {
      status: this.status,
      headers: {
        ...this.extras.headers,
        'content-type': 'application/problem+json',
        'x-request-id': requestId,
      },
    });
  }
}

/** 422 with every field that is wrong. */
export function invalid(errors: readonly FieldProblem[]): Problem {
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return new Problem(422, first ? `${first.path} ${first.message}${more}` : 'The request is not valid.', {
    errors,
  });
}
