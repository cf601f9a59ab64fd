#include "kquants.h"
#include "lanes_scalar.h"
#include "search.h"
#include "blocks.h"
