-- SPDX-License-Identifier: Apache-2.0
-- PostgreSQL database dump
CREATE TABLE public.messages (id bigint, author text, body text);
COPY public.messages (id, author, body) FROM stdin;
1	customer-17	Where is my container?
2	jon	for the bot use the token 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 until we have an app
3	mira	thanks
\.
