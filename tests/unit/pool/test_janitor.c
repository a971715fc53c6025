/* stub */
#include "pool/pool_rig.h"
#include "suite.h"
START_TEST(test_nothing){rig_begin(&rig_settings,1);rig_settle();rig_end();}END_TEST
SUITE_MAIN("x", test_nothing)
