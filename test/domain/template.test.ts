import { describe, expect, it } from 'vitest';
import {
  MAX_BODY_LENGTH,
  MAX_TEMPLATE_LENGTH,
  renderTemplate,
  templateProblem,
} from '../../src/domain/template.ts';

describe('rendering', () => {
  it('takes event data first, then profile attributes', () => {
    expect(
      renderTemplate('Hi {{ name }} from {{ city }}', { name: 'Ada' }, { name: 'A.', city: 'Paris' }),
    ).toEqual({
      ok: true,
      body: 'Hi Ada from Paris',
    });
  });

  it.each([null, '', '  '])('lets a blank in the event (%j) give way to the profile', (blank) => {
    expect(renderTemplate('Hi {{ name }}', { name: blank }, { name: 'Ada' })).toEqual({
      ok: true,
      body: 'Hi Ada',
    });
  });

  it.each<[string, Record<string, unknown>, string, string, unknown]>([
    ['absent', {}, '{{ name }}', 'name', { name: 'a value' }],
    ['null', { name: null }, '{{ name }}', 'name', { name: 'a value' }],
    ['blank', { name: ' ' }, '{{ name }}', 'name', { name: 'a value' }],
    ['invisible', { name: '\u200b' }, '{{ name }}', 'name', { name: 'a value' }],
    ['an empty list', { name: [] }, '{{ name }}', 'name', { name: 'a value' }],
    ['a list of nothing', { name: [null, ''] }, '{{ name }}', 'name', { name: 'a value' }],
    ['deep inside', { a: { b: null } }, '{{ a.b }}', 'a.b', { a: { b: 'a value' } }],
    ['beside others', { a: { c: 1 } }, '{{ a.b }}{{ a.c }}', 'a.b', { a: { b: 'a value' } }],
    ['inherited, not own', {}, '{{ constructor }}', 'constructor', { constructor: 'a value' }],
    ['one of several', {}, '{{ b }} {{ a }} {{ b }}', 'b, a', { a: 'a value', b: 'a value' }],
  ])('says which variable is %s instead of leaving a hole', (_, data, template, detail, mend) => {
    expect(renderTemplate(`Hi ${template}!`, data, {})).toEqual({
      ok: false,
      reason: 'template_variable_missing',
      detail,
      mend,
    });
  });

  it('shows no value that a name was made of', () => {
    const rendered = renderTemplate('{{ plans[email] }}', { plans: { x: 1 } }, { email: 'ada' });
    expect(rendered).toEqual({ ok: false, reason: 'template_variable_missing', detail: 'plans', mend: null });
  });

  it('promises no mend that would not do', () => {
    const each = '{% for x in (1..25) %}{{ v[x] }}{% endfor %}';
    expect(renderTemplate(each, {}, {})).toMatchObject({ reason: 'template_variable_missing', mend: null });
    expect(renderTemplate('{{ a }}{% for i in (1..999999999) %}x{% endfor %}', {}, {})).toMatchObject({
      reason: 'template_variable_missing',
      detail: 'a',
      mend: null,
    });
  });

  it.each([
    ['a list', { name: ['Ada', 'Bob'] }],
    ['an object', { name: { first: 'Ada' } }],
    ['an empty object', { name: {} }],
  ])('never prints %s', (_, data) => {
    expect(renderTemplate('Hi {{ name }}!', data, {})).toMatchObject({
      ok: false,
      reason: 'template_error',
      detail: expect.stringContaining('an output is a list or an object, not a text'),
      mend: null,
    });
  });

  it('never prints what a filter made of nothing', () => {
    expect(renderTemplate('Hi {{ n | split: "," | slice: 5 | first }}!', { n: 'a,b' }, {})).toMatchObject({
      ok: false,
      detail: expect.stringContaining('an output has no value'),
    });
  });

  it.each([
    ['half a character', '{{ n | split: "" | first }}', { n: '😀' }],
    ['NUL', '{{ n | url_decode }}', { n: 'a%00b' }],
    ['an escape character', 'Hi {{ n }}', { n: '\u001b[2J' }],
    ['DEL', 'Hi {{ n }}', { n: '\u007f' }],
  ])('never sends %s', (_, template, data) => {
    expect(renderTemplate(template, data, {})).toMatchObject({ ok: false, reason: 'template_error' });
  });

  it('sends line ends, tabs and characters of every script', () => {
    const text = 'Grüße, 👩‍👩‍👧 дом 家\n\tמה';
    expect(renderTemplate('{{ t }}', { t: text }, {})).toEqual({ ok: true, body: text });
  });

  it('keeps lists and objects for those templates that look inside', () => {
    const data = { items: [{ name: 'a' }, '', { name: 'b' }], user: { name: 'Ada', title: '' } };
    expect(renderTemplate('{% for i in items %}{{ i.name }} {% endfor %}{{ user.name }}', data, {})).toEqual({
      ok: true,
      body: 'a b Ada',
    });
  });

  it('lets a template have a default or ask first', () => {
    expect(renderTemplate('Hi {{ name | default: "there" }}', {}, {})).toEqual({
      ok: true,
      body: 'Hi there',
    });
    expect(renderTemplate('Hi{% if name %} {{ name }}{% endif %}!', {}, {})).toEqual({
      ok: true,
      body: 'Hi!',
    });
    expect(renderTemplate('{% if ok %}yes{% else %}no{% endif %}', { ok: false }, {})).toEqual({
      ok: true,
      body: 'no',
    });
  });

  it('keeps false and zero, which are values', () => {
    expect(renderTemplate('{{ a }} {{ b }} {{ list[0] }}', { a: 0, b: false, list: ['x'] }, {})).toEqual({
      ok: true,
      body: '0 false x',
    });
  });

  it('never sends an empty text', () => {
    expect(renderTemplate('{% if name %}Hi{% endif %}', {}, {})).toEqual({
      ok: false,
      reason: 'body_empty',
      detail: '',
      mend: null,
    });
  });

  it('never sends a text that is too long', () => {
    const longest = 'x'.repeat(MAX_BODY_LENGTH);
    expect(renderTemplate('{{ t }}', { t: longest }, {})).toEqual({ ok: true, body: longest });
    expect(renderTemplate('{{ t }}', { t: `${longest}y` }, {})).toEqual({
      ok: false,
      reason: 'body_too_long',
      detail: '1601 characters, at most 1600',
      mend: null,
    });
  });

  it('stops templates that cost too much', () => {
    const endless = '{% for i in (1..100000000) %}{{ i }}{% endfor %}';
    expect(renderTemplate(endless, {}, {})).toMatchObject({ ok: false, reason: 'template_error' });
    const nested =
      '{% for i in (1..1000) %}{% for j in (1..1000) %}{% for k in (1..1000) %}x{% endfor %}{% endfor %}{% endfor %}';
    expect(renderTemplate(nested, {}, {})).toMatchObject({ ok: false, reason: 'template_error' });
  });
});

describe('saving', () => {
  it('accepts Liquid', () => {
    expect(templateProblem('Hi {{ first_name | capitalize }}{% if x %}!{% endif %}')).toBeNull();
  });

  it.each([
    ['an open output', 'Hi {{ name'],
    ['an open tag', '{% if x %}Hi'],
    ['an unknown tag', '{% nonsense %}'],
    ['an unknown filter', '{{ name | nonsense }}'],
    ['a tag that reads other files', '{% include "secrets" %}'],
    ['another one', '{% render "secrets" %}'],
    ['a layout', '{% layout "page" %}'],
    ['a block', '{% block x %}{% endblock %}'],
  ])('refuses %s', (_, template) => {
    expect(templateProblem(template)).toMatch(/^is not a valid Liquid template: \S/);
    expect(templateProblem(template)).not.toContain('\n');
  });

  it('refuses a template that is too long', () => {
    expect(templateProblem('x'.repeat(MAX_TEMPLATE_LENGTH))).toBeNull();
    expect(templateProblem('x'.repeat(MAX_TEMPLATE_LENGTH + 1))).toBe('must have at most 4000 characters');
  });
});
