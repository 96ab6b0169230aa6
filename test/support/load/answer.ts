import type { Shot } from './shots.ts';

/** What a client has read of a response that came to its end. */
export interface Answer {
  status: number;
  /** Bytes of the body. */
  bytes: number;
  release: string;
  requestId: string;
  /** False when neither a length nor chunks say where the body ends: then nobody can tell that it is whole. */
  framed: boolean;
  body: Buffer[];
}

/** The fault of a complete answer, or the empty string. */
export function faultOf(shot: Shot, answer: Answer): string {
  if (answer.status < 200 || answer.status > 299) return `http-${answer.status}`;
  if (!answer.framed) return 'unframed';
  // An answer that carries the id of another request was meant for somebody else.
  if (answer.requestId !== '' && answer.requestId !== shot.id) return 'wrong-id';
  // One without any may be left over from an earlier request on the connection: then it proves nothing.
  if (answer.requestId === '' && shot.needsId) return 'no-id';
  if (!wantsBody(shot)) return '';
  const body = Buffer.concat(answer.body);
  if (shot.expect.length > 0 && !shot.expect.some((text) => body.includes(text))) return 'wrong-content';
  if (shot.ending !== '' && !body.includes(shot.ending)) return 'no-ending';
  return '';
}

/** Whether the body has to be kept to judge the answer. */
export function wantsBody(shot: Shot): boolean {
  return shot.expect.length > 0 || shot.ending !== '';
}

/** The code by which an error is counted. */
export function codeOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return code ?? message ?? 'unknown';
}
