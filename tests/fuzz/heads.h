/*
 * What must hold for any head: the same outcome however it is cut and within narrow limits too, positions inside the
 * bytes, and the round trip over the serializer.
 */
#pragma once

#include "base/span.h"
#include "http/parser.h"

void heads_check(enum http_kind kind, struct span bytes);
