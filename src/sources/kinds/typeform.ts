/** Typeform: `form_response`. Answers are known by their question's ref and title; hidden fields by their key. */
import { isJsonObject } from '../../platform/json.ts';
import type { Delivery, Kind, Mapping } from '../kind.ts';
import { at, idOf, jsonBody, members, textOf, timeOf, typeOf, unreadable } from './payload.ts';
import { verifyBodyHmac } from './proof.ts';
import { customerIn, dataOf, type Field, fieldsOf, firstNumber, nameOf, recognise } from './recognised.ts';

export const typeform: Kind = {
  name: 'typeform',
  needsSecret: true,
  verify: (delivery, settings) =>
    verifyBodyHmac(delivery, settings, {
      header: 'typeform-signature',
      hash: 'SHA-256',
      encoding: 'base64',
      prefix: 'sha256=',
    }),
  map,
};

function map(delivery: Delivery): Mapping {
  const body = jsonBody(delivery);
  if (!body.ok) return body.mapping;
  const eventType = textOf(at(body.value, 'event_type'));
  const response = at(body.value, 'form_response');
  if (eventType !== null && eventType !== 'form_response')
    return {
      kind: 'ignored',
      note: 'No finished response.',
      hint: 'Only form_response counts: a form that was left half-way has asked for nothing.',
    };
  if (!isJsonObject(response)) return unreadable('The body holds no form_response.');

  const hidden = members(response.hidden);
  const answers = answersOf(response);
  const byRef = Object.fromEntries(answers.map(({ names: [name = ''], value }) => [name, value]));
  const fields = [...answers, ...fieldsOf(hidden)];
  const given = recognise(fields);
  const asked = answers.filter(({ isPhone }) => isPhone).map(({ value }) => value);
  return {
    kind: 'events',
    events: [
      {
        id: idOf(at(body.value, 'event_id'), response.token),
        type: typeOf(eventType ?? 'form_response'),
        customerId: customerIn(fieldsOf(hidden)),
        occurredAt: timeOf(response.submitted_at),
        data: dataOf(
          { ...hidden, ...byRef, form_id: response.form_id, calculated: response.calculated },
          given,
          { MOBILE_NUMBER: firstNumber(asked) },
        ),
        payload: { ...members(body.value), answers: byRef },
      },
    ],
  };
}

interface Answer extends Field {
  readonly isPhone: boolean;
}

/** The answers, each first by its ref (else its id), then by its question's title. */
function answersOf(response: Readonly<Record<string, unknown>>): Answer[] {
  const questions = listOf(at(response, 'definition', 'fields'));
  const titles = new Map(questions.map((question) => [at(question, 'id'), at(question, 'title')]));
  return listOf(response.answers).flatMap((answer) => {
    const id = at(answer, 'field', 'id');
    const names = [at(answer, 'field', 'ref'), id, titles.get(id)].map(nameOf);
    const known = names.filter((name) => name !== null);
    const isPhone = at(answer, 'type') === 'phone_number';
    return known.length === 0 ? [] : [{ names: known, value: answerOf(answer), isPhone }];
  });
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** An answer stands under the name of its type; choices are read as their labels. */
function answerOf(answer: unknown): unknown {
  const value = at(answer, textOf(at(answer, 'type')) ?? '');
  const labels = at(value, 'labels');
  if (Array.isArray(labels)) return labels.length === 1 ? labels[0] : labels;
  return at(value, 'label') ?? at(value, 'other') ?? value;
}
