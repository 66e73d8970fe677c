/** Sends a file over HTTP as it is read. By node:http, because `fetch` hides a server's early "too large" behind a broken pipe. */
import { createReadStream } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Complaint } from './complaint.ts';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** @param onBytes gets how many bytes were sent so far. @throws Complaint where nobody answers */
export async function upload(
  url: URL,
  file: string,
  headers: Readonly<Record<string, string | number>>,
  onBytes: (sent: number) => void,
): Promise<Answer> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = send(url, { method: 'POST', headers });
  let sent = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sent += chunk.byteLength;
      onBytes(sent);
      done(null, chunk);
    },
  });
  const answered = new Promise<Answer>((resolve, reject) => {
    request.once('response', (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, text: body }), reject);
    });
    request.once('error', reject);
  });
  try {
    // Where the server answers before it has read all, the rest cannot be sent, and its answer says why.
    const [answer] = await Promise.all([
      answered,
      pipeline(createReadStream(file), counter, request).catch(() => undefined),
    ]);
    return answer;
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new Complaint(
      `${url.origin} does not answer${reason}. Is it running? Start it with npm start, or name it with --url.`,
    );
  }
}
